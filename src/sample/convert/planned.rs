//! Converters whose arguments are checked and whose effect is not built yet (manual 7.3.1).

use crate::catalog::{Converter, Part};
use crate::sample::args::ArgType;
use crate::sample::value::Type;

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
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
    ],
    ..Part::NONE
};
