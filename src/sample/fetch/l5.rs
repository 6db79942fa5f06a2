//! Fetches from the TLS layer (manual 7.3.4).

use crate::catalog::{AclKeyword, Fetch, Part};
use crate::sample::ArgType;
use crate::sample::valid;
use crate::sample::value::Type;

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "ssl_bc",
            gives: Type::Bool,
            valid: valid::RESPONSE_KEPT,
            doc: "Whether the connection uses TLS, towards the server.",
            examples: &["ssl_bc"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_alg_keysize",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "Key size the cipher could use, in bits, towards the server.",
            examples: &["ssl_bc_alg_keysize"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_alpn",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The protocol agreed on by ALPN, towards the server.",
            examples: &["ssl_bc_alpn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_cipher",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The cipher's name, towards the server.",
            examples: &["ssl_bc_cipher"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_client_random",
            gives: Type::Bin,
            valid: valid::RESPONSE_KEPT,
            doc: "The client's random bytes, towards the server.",
            examples: &["ssl_bc_client_random"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_is_resumed",
            gives: Type::Bool,
            valid: valid::RESPONSE_KEPT,
            doc: "Whether the session was resumed, towards the server.",
            examples: &["ssl_bc_is_resumed"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_npn",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The protocol agreed on by NPN, towards the server.",
            examples: &["ssl_bc_npn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_protocol",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The TLS version, towards the server.",
            examples: &["ssl_bc_protocol"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_server_random",
            gives: Type::Bin,
            valid: valid::RESPONSE_KEPT,
            doc: "The server's random bytes, towards the server.",
            examples: &["ssl_bc_server_random"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_session_id",
            gives: Type::Bin,
            valid: valid::RESPONSE_KEPT,
            doc: "The session id, towards the server.",
            examples: &["ssl_bc_session_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_session_key",
            gives: Type::Bin,
            valid: valid::RESPONSE_KEPT,
            doc: "The session master key, towards the server.",
            examples: &["ssl_bc_session_key"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_unique_id",
            gives: Type::Bin,
            valid: valid::RESPONSE_KEPT,
            doc: "The TLS unique id (RFC 5929), towards the server.",
            examples: &["ssl_bc_unique_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_bc_use_keysize",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "Key size the cipher uses, in bits, towards the server.",
            examples: &["ssl_bc_use_keysize"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_ca_err",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The first error of the chain above the certificate; of the client's certificate.",
            examples: &["ssl_c_ca_err"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_ca_err_depth",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The depth of that error; of the client's certificate.",
            examples: &["ssl_c_ca_err_depth"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_chain_der",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate chain, DER; of the client's certificate.",
            examples: &["ssl_c_chain_der"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_der",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate, DER; of the client's certificate.",
            examples: &["ssl_c_der"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_err",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The error of the certificate itself; of the client's certificate.",
            examples: &["ssl_c_err"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_i_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The issuer's distinguished name, or a part of it; of the client's certificate.",
            examples: &["ssl_c_i_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_key_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The key's algorithm; of the client's certificate.",
            examples: &["ssl_c_key_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_notafter",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The end of validity, YYMMDDhhmmss[Z]; of the client's certificate.",
            examples: &["ssl_c_notafter"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_notbefore",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The start of validity, YYMMDDhhmmss[Z]; of the client's certificate.",
            examples: &["ssl_c_notbefore"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_s_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The subject's distinguished name, or a part of it; of the client's certificate.",
            examples: &["ssl_c_s_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_serial",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The serial number; of the client's certificate.",
            examples: &["ssl_c_serial"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_sha1",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The SHA-1 fingerprint; of the client's certificate.",
            examples: &["ssl_c_sha1"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_sig_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The signature's algorithm; of the client's certificate.",
            examples: &["ssl_c_sig_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_used",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether a client certificate was used in this session; of the client's certificate.",
            examples: &["ssl_c_used"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_verify",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The result of the verification; of the client's certificate.",
            examples: &["ssl_c_verify"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_c_version",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate version; of the client's certificate.",
            examples: &["ssl_c_version"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_der",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate, DER; of the own certificate.",
            examples: &["ssl_f_der"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_i_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The issuer's distinguished name, or a part of it; of the own certificate.",
            examples: &["ssl_f_i_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_key_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The key's algorithm; of the own certificate.",
            examples: &["ssl_f_key_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_notafter",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The end of validity, YYMMDDhhmmss[Z]; of the own certificate.",
            examples: &["ssl_f_notafter"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_notbefore",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The start of validity, YYMMDDhhmmss[Z]; of the own certificate.",
            examples: &["ssl_f_notbefore"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_s_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The subject's distinguished name, or a part of it; of the own certificate.",
            examples: &["ssl_f_s_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_serial",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The serial number; of the own certificate.",
            examples: &["ssl_f_serial"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_sha1",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The SHA-1 fingerprint; of the own certificate.",
            examples: &["ssl_f_sha1"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_sig_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The signature's algorithm; of the own certificate.",
            examples: &["ssl_f_sig_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_f_version",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate version; of the own certificate.",
            examples: &["ssl_f_version"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether the connection uses TLS, towards the client.",
            examples: &["ssl_fc"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_alg_keysize",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "Key size the cipher could use, in bits, towards the client.",
            examples: &["ssl_fc_alg_keysize"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_alpn",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The protocol agreed on by ALPN, towards the client.",
            examples: &["ssl_fc_alpn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_cipher",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The cipher's name, towards the client.",
            examples: &["ssl_fc_cipher"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_cipherlist_bin",
            args: &[ArgType::Int],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The client's cipher list as bytes, towards the client.",
            examples: &["ssl_fc_cipherlist_bin"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_cipherlist_hex",
            args: &[ArgType::Int],
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The client's cipher list in hexadecimal, towards the client.",
            examples: &["ssl_fc_cipherlist_hex"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_cipherlist_str",
            args: &[ArgType::Int],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The client's cipher list as names, towards the client.",
            examples: &["ssl_fc_cipherlist_str"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_cipherlist_xxh",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "A hash of the client's cipher list, towards the client.",
            examples: &["ssl_fc_cipherlist_xxh"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_client_random",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The client's random bytes, towards the client.",
            examples: &["ssl_fc_client_random"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_has_crt",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether the client sent a certificate, towards the client.",
            examples: &["ssl_fc_has_crt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_has_early",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether early data was received, towards the client.",
            examples: &["ssl_fc_has_early"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_has_sni",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether the client sent a server name, towards the client.",
            examples: &["ssl_fc_has_sni"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_is_resumed",
            gives: Type::Bool,
            valid: valid::CLIENT_CONNECTION,
            doc: "Whether the session was resumed, towards the client.",
            examples: &["ssl_fc_is_resumed"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_npn",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The protocol agreed on by NPN, towards the client.",
            examples: &["ssl_fc_npn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_protocol",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The TLS version, towards the client.",
            examples: &["ssl_fc_protocol"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_server_random",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The server's random bytes, towards the client.",
            examples: &["ssl_fc_server_random"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_session_id",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The session id, towards the client.",
            examples: &["ssl_fc_session_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_session_key",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The session master key, towards the client.",
            examples: &["ssl_fc_session_key"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_sni",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The server name the client asked for, towards the client.",
            examples: &["ssl_fc_sni"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_unique_id",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The TLS unique id (RFC 5929), towards the client.",
            examples: &["ssl_fc_unique_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_fc_use_keysize",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "Key size the cipher uses, in bits, towards the client.",
            examples: &["ssl_fc_use_keysize"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_chain_der",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate chain, DER; of the server's certificate.",
            examples: &["ssl_s_chain_der"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_der",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate, DER; of the server's certificate.",
            examples: &["ssl_s_der"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_i_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The issuer's distinguished name, or a part of it; of the server's certificate.",
            examples: &["ssl_s_i_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_key_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The key's algorithm; of the server's certificate.",
            examples: &["ssl_s_key_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_notafter",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The end of validity, YYMMDDhhmmss[Z]; of the server's certificate.",
            examples: &["ssl_s_notafter"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_notbefore",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The start of validity, YYMMDDhhmmss[Z]; of the server's certificate.",
            examples: &["ssl_s_notbefore"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_s_dn",
            args: &[ArgType::Str, ArgType::Int, ArgType::Str],
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The subject's distinguished name, or a part of it; of the server's certificate.",
            examples: &["ssl_s_s_dn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_serial",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The serial number; of the server's certificate.",
            examples: &["ssl_s_serial"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_sha1",
            gives: Type::Bin,
            valid: valid::CLIENT_CONNECTION,
            doc: "The SHA-1 fingerprint; of the server's certificate.",
            examples: &["ssl_s_sha1"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_sig_alg",
            gives: Type::Str,
            valid: valid::CLIENT_CONNECTION,
            doc: "The signature's algorithm; of the server's certificate.",
            examples: &["ssl_s_sig_alg"],
            ..Fetch::NEW
        },
        Fetch {
            name: "ssl_s_version",
            gives: Type::Int,
            valid: valid::CLIENT_CONNECTION,
            doc: "The certificate version; of the server's certificate.",
            examples: &["ssl_s_version"],
            ..Fetch::NEW
        },
    ],
    acl_keywords: &[
        acl("ssl_fc_sni_end", "ssl_fc_sni", "end"),
        acl("ssl_fc_sni_reg", "ssl_fc_sni", "reg"),
    ],
    ..Part::NONE
};
