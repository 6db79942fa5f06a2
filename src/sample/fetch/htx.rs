//! Fetches from HAProxy's internal message buffers (manual 7.3.7), which do not exist here.

use crate::catalog::{Fetch, Part, Status};
use crate::config::args::parse_lenient;
use crate::sample::ArgType;
use crate::sample::Arguments;
use crate::sample::valid;
use crate::sample::value::Type;

const HTX: Fetch =
    Fetch { status: Status::NoEffect("messages are not kept in HTX blocks"), ..Fetch::NEW };

/// A block's position, from 1, or its name.
fn block(args: &mut Arguments) -> Result<(), String> {
    let word = args.str(0).unwrap_or_default();
    if [&b"head"[..], b"tail", b"first"].contains(&word) || parse_lenient(word) > 0 {
        return Ok(());
    }
    Err("a block position is expected (> 0) or a special block name (head, tail, first)".to_owned())
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "internal.htx.data",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Bytes in the message's internal buffer.",
            examples: &["internal.htx.data"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.free",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Free bytes in the message's internal buffer.",
            examples: &["internal.htx.free"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.free_data",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Free payload bytes in the message's internal buffer.",
            examples: &["internal.htx.free_data"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.has_eom",
            gives: Type::Bool,
            valid: valid::MESSAGE,
            doc: "Whether the message is complete in the internal buffer.",
            examples: &["internal.htx.has_eom"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.nbblks",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Blocks in the message's internal buffer.",
            examples: &["internal.htx.nbblks"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.size",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Size of the message's internal buffer.",
            examples: &["internal.htx.size"],
            ..HTX
        },
        Fetch {
            name: "internal.htx.used",
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "Used bytes of the message's internal buffer.",
            examples: &["internal.htx.used"],
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.data",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "The data of an internal block.",
            examples: &["internal.htx_blk.data(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.hdrname",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "The header name of an internal block.",
            examples: &["internal.htx_blk.hdrname(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.hdrval",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "The header value of an internal block.",
            examples: &["internal.htx_blk.hdrval(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.size",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "The size of an internal block.",
            examples: &["internal.htx_blk.size(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.start_line",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "The start line of an internal block.",
            examples: &["internal.htx_blk.start_line(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.htx_blk.type",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "The type of an internal block.",
            examples: &["internal.htx_blk.type(head)"],
            check: block,
            ..HTX
        },
        Fetch {
            name: "internal.strm.is_htx",
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "Whether the stream holds HTTP messages.",
            examples: &["internal.strm.is_htx"],
            ..HTX
        },
    ],
    ..Part::NONE
};
