//! Converters whose arguments are checked and whose effect is not built yet (manual 7.3.1).

use crate::catalog::{Converter, Part};
use crate::sample::args::ArgType;
use crate::sample::value::Type;
use crate::sample::{Arguments, vars};

/// The first argument names a variable.
fn variable(args: &mut Arguments) -> Result<(), String> {
    let name = args.str(0).unwrap_or_default();
    vars::check_name(name).map_err(|e| e.replace("{name}", &String::from_utf8_lossy(name)))
}

/// The second argument, if given, names a variable.
fn second_variable(args: &mut Arguments) -> Result<(), String> {
    match args.str(1) {
        Some(name) if !name.is_empty() => vars::check_name(name).map_err(|_| {
            format!("failed to register variable name '{}'", String::from_utf8_lossy(name))
        }),
        _ => Ok(()),
    }
}

fn unit(args: &mut Arguments) -> Result<(), String> {
    match args.str(1) {
        None | Some(b"" | b"s" | b"ms" | b"us") => Ok(()),
        Some(other) => {
            Err(format!("expects 's', 'ms' or 'us', got '{}'", String::from_utf8_lossy(other)))
        }
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "aes_gcm_dec",
            args: &[ArgType::Int, ArgType::Str, ArgType::Str, ArgType::Str],
            required: 4,
            takes: Type::Bin,
            gives: Type::Bin,
            doc: "Decrypts AES-GCM: key size, nonce, key and tag.",
            examples: &[("hdr(x),aes_gcm_dec(128,txn.nonce,a2V5,txn.tag)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "capture-req",
            args: &[ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Stores the text in a request capture slot and passes it on.",
            examples: &[("hdr(host),capture-req(0)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "capture-res",
            args: &[ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Stores the text in a response capture slot and passes it on.",
            examples: &[("res.hdr(server),capture-res(0)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "concat",
            args: &[ArgType::Str, ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Appends a text, a variable and another text.",
            examples: &[("str(a),concat(b)", "")],
            check: second_variable,
            ..Converter::NEW
        },
        Converter {
            name: "debug",
            args: &[ArgType::Str, ArgType::Str],
            takes: Type::Any,
            gives: Type::Any,
            doc: "Shows the value on a ring; passes it on.",
            examples: &[("src,debug(a)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "digest",
            args: &[ArgType::Str],
            required: 1,
            takes: Type::Bin,
            gives: Type::Bin,
            doc: "A message digest of the given algorithm.",
            examples: &[("hdr(x),digest(sha256)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "hmac",
            args: &[ArgType::Str, ArgType::Str],
            required: 2,
            takes: Type::Bin,
            gives: Type::Bin,
            doc: "A keyed message digest: algorithm and base64 key.",
            examples: &[("hdr(x),hmac(sha256,a2V5)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "http_date",
            args: &[ArgType::Int, ArgType::Str],
            takes: Type::Int,
            gives: Type::Str,
            doc: "A time as HTTP writes it, with an offset and a unit.",
            examples: &[("date,http_date", "")],
            check: unit,
            ..Converter::NEW
        },
        Converter {
            name: "ltime",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Int,
            gives: Type::Str,
            doc: "A time as local time in strftime's format.",
            examples: &[("date,ltime(%Y)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, exact match; gives text.",
            examples: &[("src,map(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_beg",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by prefix; gives text.",
            examples: &[("src,map_beg(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_beg_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by prefix; gives an integer.",
            examples: &[("src,map_beg_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_beg_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by prefix; gives an address.",
            examples: &[("src,map_beg_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dir",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by directory; gives text.",
            examples: &[("src,map_dir(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dir_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by directory; gives an integer.",
            examples: &[("src,map_dir_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dir_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by directory; gives an address.",
            examples: &[("src,map_dir_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dom",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by domain part; gives text.",
            examples: &[("src,map_dom(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dom_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by domain part; gives an integer.",
            examples: &[("src,map_dom_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_dom_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by domain part; gives an address.",
            examples: &[("src,map_dom_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_end",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by suffix; gives text.",
            examples: &[("src,map_end(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_end_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by suffix; gives an integer.",
            examples: &[("src,map_end_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_end_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by suffix; gives an address.",
            examples: &[("src,map_end_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_int",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Int,
            gives: Type::Str,
            doc: "Looks up in a file, an integer; gives text.",
            examples: &[("src_port,map_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_int_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Int,
            gives: Type::Int,
            doc: "Looks up in a file, an integer; gives an integer.",
            examples: &[("src_port,map_int_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_int_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Int,
            gives: Type::Addr,
            doc: "Looks up in a file, an integer; gives an address.",
            examples: &[("src_port,map_int_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Addr,
            gives: Type::Str,
            doc: "Looks up in a file, an address; the longest prefix wins; gives text.",
            examples: &[("src,map_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_ip_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Addr,
            gives: Type::Int,
            doc: "Looks up in a file, an address; the longest prefix wins; gives an integer.",
            examples: &[("src,map_ip_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_ip_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Addr,
            gives: Type::Addr,
            doc: "Looks up in a file, an address; the longest prefix wins; gives an address.",
            examples: &[("src,map_ip_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_reg",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by regular expression; gives text.",
            examples: &[("src,map_reg(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_reg_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by regular expression; gives an integer.",
            examples: &[("src,map_reg_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_reg_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by regular expression; gives an address.",
            examples: &[("src,map_reg_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_regm",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by regular expression whose groups the value may use; gives text.",
            examples: &[("src,map_regm(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_str",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, exact match; gives text.",
            examples: &[("src,map_str(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_str_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, exact match; gives an integer.",
            examples: &[("src,map_str_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_str_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, exact match; gives an address.",
            examples: &[("src,map_str_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_sub",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Looks up in a file, by substring; gives text.",
            examples: &[("src,map_sub(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_sub_int",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Looks up in a file, by substring; gives an integer.",
            examples: &[("src,map_sub_int(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "map_sub_ip",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Addr,
            doc: "Looks up in a file, by substring; gives an address.",
            examples: &[("src,map_sub_ip(/etc/haproxy/map)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "nbsrv",
            takes: Type::Str,
            gives: Type::Int,
            doc: "Usable servers of the backend of this name.",
            examples: &[("str(app),nbsrv", "")],
            ..Converter::NEW
        },
        Converter {
            name: "protobuf",
            args: &[ArgType::FieldNumber, ArgType::Str],
            required: 1,
            takes: Type::Bin,
            gives: Type::Bin,
            doc: "A field of a Protocol Buffers message.",
            examples: &[("req.body,protobuf(1.2)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "secure_memcmp",
            args: &[ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Bool,
            doc: "Whether the bytes equal a variable's, in constant time.",
            examples: &[("hdr(x),secure_memcmp(txn.x)", "")],
            check: variable,
            ..Converter::NEW
        },
        Converter {
            name: "set-var",
            args: &[ArgType::Str],
            required: 1,
            takes: Type::Any,
            gives: Type::Any,
            doc: "Sets a variable and passes the value on.",
            examples: &[("src,set-var(txn.x)", "")],
            check: variable,
            ..Converter::NEW
        },
        Converter {
            name: "srv_queue",
            takes: Type::Str,
            gives: Type::Int,
            doc: "The queue of the server of this name.",
            examples: &[("str(app/s1),srv_queue", "")],
            ..Converter::NEW
        },
        Converter {
            name: "strcmp",
            args: &[ArgType::Str],
            required: 1,
            takes: Type::Str,
            gives: Type::Int,
            doc: "Compares the text with a variable: negative, zero or positive.",
            examples: &[("hdr(x),strcmp(txn.x)", "")],
            check: variable,
            ..Converter::NEW
        },
        Converter {
            name: "ungrpc",
            args: &[ArgType::FieldNumber, ArgType::Str],
            required: 1,
            takes: Type::Bin,
            gives: Type::Bin,
            doc: "A field of a gRPC message.",
            examples: &[("req.body,ungrpc(1.2)", "")],
            ..Converter::NEW
        },
        Converter {
            name: "unset-var",
            args: &[ArgType::Str],
            required: 1,
            takes: Type::Any,
            gives: Type::Any,
            doc: "Forgets a variable; passes the value on.",
            examples: &[("src,unset-var(txn.x)", "")],
            check: variable,
            ..Converter::NEW
        },
        Converter {
            name: "utime",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            takes: Type::Int,
            gives: Type::Str,
            doc: "A time as UTC in strftime's format.",
            examples: &[("date,utime(%Y)", "")],
            ..Converter::NEW
        },
    ],
    ..Part::NONE
};
