//! Base64 (manual 7.3.1; RFC 4648 4). In: bytes or their encoding. Out: the other one.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::catalog::{Converter, Part, Status};
use crate::sample::value::{Type, Value};

/// Padding is asked for; what the last character says beyond the bytes is not looked at.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes that a text encodes; `None` when it is no base64.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

/// The text that encodes the bytes.
pub fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "b64dec",
            takes: Type::Str,
            gives: Type::Bin,
            doc: "Decodes base64.",
            examples: &[("str(aGVsbG8=),b64dec", "hello")],
            status: Status::Works,
            run: |value, _, _| decode(value.bytes()?).map(|bytes| Value::Bin(bytes.into())),
            ..Converter::NEW
        },
        Converter {
            name: "base64",
            takes: Type::Bin,
            gives: Type::Str,
            doc: "Encodes in base64.",
            examples: &[("str(hello),base64", "aGVsbG8="), ("bin(ff00),base64", "/wA=")],
            status: Status::Works,
            run: |value, _, _| Some(Value::string(encode(value.bytes()?))),
            ..Converter::NEW
        },
    ],
    ..Part::NONE
};
