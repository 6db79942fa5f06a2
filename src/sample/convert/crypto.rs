//! Message digests by name, keyed digests and decryption (manual 7.3.1 "digest", "hmac", "aes_gcm_dec").
//! In: bytes. Out: bytes. Names are OpenSSL's, whatever their case.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use hmac::{Mac, SimpleHmac};
use sha1::Digest;

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::convert::base64;
use crate::sample::value::{Type, Value};
use crate::sample::{Arguments, SampleContext};

/// A digest under OpenSSL's names, and with a key (RFC 2104).
struct Algorithm {
    names: &'static [&'static str],
    digest: fn(&[u8]) -> Vec<u8>,
    keyed: fn(&[u8], &[u8]) -> Option<Vec<u8>>,
}

macro_rules! algorithm {
    ($hash:ty, $($name:literal),+) => {
        Algorithm {
            names: &[$($name),+],
            digest: |bytes| <$hash>::digest(bytes).to_vec(),
            keyed: |key, bytes| {
                let mut mac = <SimpleHmac<$hash> as KeyInit>::new_from_slice(key).ok()?;
                mac.update(bytes);
                Some(mac.finalize().into_bytes().to_vec())
            },
        }
    };
}

static ALGORITHMS: &[Algorithm] = &[
    algorithm!(md5::Md5, "md5", "ssl3-md5", "rsa-md5"),
    algorithm!(sha1::Sha1, "sha1", "ssl3-sha1", "rsa-sha1"),
    algorithm!(sha2::Sha224, "sha224", "rsa-sha224"),
    algorithm!(sha2::Sha256, "sha256", "rsa-sha256"),
    algorithm!(sha2::Sha384, "sha384", "rsa-sha384"),
    algorithm!(sha2::Sha512, "sha512", "rsa-sha512"),
    algorithm!(sha2::Sha512_224, "sha512-224", "rsa-sha512/224"),
    algorithm!(sha2::Sha512_256, "sha512-256", "rsa-sha512/256"),
    algorithm!(sha3::Sha3_224, "sha3-224", "rsa-sha3-224"),
    algorithm!(sha3::Sha3_256, "sha3-256", "rsa-sha3-256"),
    algorithm!(sha3::Sha3_384, "sha3-384", "rsa-sha3-384"),
    algorithm!(sha3::Sha3_512, "sha3-512", "rsa-sha3-512"),
];

fn algorithm(name: &[u8]) -> Option<&'static Algorithm> {
    let same = |known: &&'static str| known.as_bytes().eq_ignore_ascii_case(name);
    ALGORITHMS.iter().find(|algorithm| algorithm.names.iter().any(same))
}

fn check_digest(args: &mut Arguments) -> Result<(), String> {
    match algorithm(args.str(0).unwrap_or_default()) {
        Some(_) => Ok(()),
        None => Err("algorithm must be a valid OpenSSL message digest name.".to_owned()),
    }
}

fn check_hmac(args: &mut Arguments) -> Result<(), String> {
    check_digest(args)?;
    args.read_variable(1);
    Ok(())
}

fn check_decrypt(args: &mut Arguments) -> Result<(), String> {
    if !matches!(args.int(0), Some(128 | 192 | 256)) {
        return Err("key size must be 128, 192 or 256 (bits).".to_owned());
    }
    for place in 1..4 {
        args.read_variable(place);
    }
    Ok(())
}

/// An argument in base64, or a variable that holds base64.
fn decoded<'a>(args: &'a Arguments, place: usize, context: &SampleContext<'a>) -> Option<Vec<u8>> {
    base64::decode(&args.text(place, context)?)
}

fn bytes(bytes: Vec<u8>) -> Value<'static> {
    Value::Bin(bytes.into())
}

/// Encrypts one block.
type Cipher = Box<dyn Fn([u8; 16]) -> [u8; 16]>;

/// AES with a key of one of its three sizes.
fn cipher(bits: i64, key: &[u8]) -> Option<Cipher> {
    fn of<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16> + KeyInit + 'static>(
        key: &[u8],
    ) -> Option<Cipher> {
        let cipher = C::new_from_slice(key).ok()?;
        Some(Box::new(move |block| {
            let mut block = block.into();
            cipher.encrypt_block(&mut block);
            block.into()
        }))
    }
    let key = key.get(..usize::try_from(bits / 8).ok()?)?;
    match bits {
        128 => of::<aes::Aes128>(key),
        192 => of::<aes::Aes192>(key),
        _ => of::<aes::Aes256>(key),
    }
}

/// GHASH of the text and of the lengths in bits (NIST SP 800-38D 6.4).
fn ghash(key: [u8; 16], text: &[u8]) -> [u8; 16] {
    let mut hash = GHash::new(&key.into());
    hash.update_padded(text);
    let bits = (text.len() as u128) * 8;
    hash.update(&[bits.to_be_bytes().into()]);
    hash.finalize().into()
}

/// Decrypts with AES-GCM; `None` when the tag, which may be cut, is another one (NIST SP 800-38D 7.2).
fn decrypt(bits: i64, nonce: &[u8], key: &[u8], text: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
    if nonce.is_empty() || tag.is_empty() || tag.len() > 16 {
        return None;
    }
    let encrypt = cipher(bits, key)?;
    let hash_key = encrypt([0; 16]);
    let first = match <[u8; 12]>::try_from(nonce) {
        Ok(nonce) => {
            let mut block = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            block[..12].copy_from_slice(&nonce);
            block
        }
        Err(_) => ghash(hash_key, nonce),
    };
    let mask = encrypt(first);
    let expected = ghash(hash_key, text);
    let differs = tag
        .iter()
        .zip(expected.iter().zip(mask))
        .fold(0, |sum, (tag, (hash, mask))| sum | (tag ^ hash ^ mask));
    if std::hint::black_box(differs) != 0 {
        return None;
    }
    let mut counter = u128::from_be_bytes(first);
    let mut out = text.to_vec();
    for block in out.chunks_mut(16) {
        counter = (counter >> 32 << 32) | u128::from((counter as u32).wrapping_add(1));
        let stream = encrypt(counter.to_be_bytes());
        block.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
    }
    Some(out)
}

const DIGEST: Converter = Converter {
    args: &[ArgType::Str],
    required: 1,
    takes: Type::Bin,
    gives: Type::Bin,
    status: Status::Works,
    check: check_digest,
    ..Converter::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "aes_gcm_dec",
            args: &[ArgType::Int, ArgType::Str, ArgType::Str, ArgType::Str],
            required: 4,
            doc: "Decrypts AES-GCM: key size in bits, then nonce, key and tag in base64 or as variables.",
            examples: &[(
                "bin(42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985),aes_gcm_dec(128,yv66vvrO263eyviI,/v/pkoZlcxxtao+UZzCDCA==,TVwq8yfNZKYs81q9K6b6tA==),hex",
                "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A721C3C0C95956809532FCF0E2449A6B525B16AEDF5AA0DE657BA637B391AAFD255",
            )],
            check: check_decrypt,
            run: |value, context, args| {
                let [nonce, key, tag] = [1, 2, 3].map(|place| decoded(args, place, context));
                decrypt(args.int(0)?, &nonce?, &key?, value.bytes()?, &tag?).map(bytes)
            },
            ..DIGEST
        },
        Converter {
            name: "digest",
            doc: "A message digest of the given algorithm.",
            examples: &[
                ("str(abc),digest(sha1),hex", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
                ("str(abc),digest(MD5),hex", "900150983CD24FB0D6963F7D28E17F72"),
            ],
            run: |value, _, args| {
                algorithm(args.str(0)?).and_then(|a| Some(bytes((a.digest)(value.bytes()?))))
            },
            ..DIGEST
        },
        Converter {
            name: "hmac",
            args: &[ArgType::Str, ArgType::Str],
            required: 2,
            doc: "A keyed message digest: the algorithm, and the key in base64 or as a variable.",
            examples: &[(
                "str(what do ya want for nothing?),hmac(sha1,SmVmZQ==),hex",
                "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79",
            )],
            check: check_hmac,
            run: |value, context, args| {
                let key = decoded(args, 1, context)?;
                (algorithm(args.str(0)?)?.keyed)(&key, value.bytes()?).map(bytes)
            },
            ..DIGEST
        },
    ],
    ..Part::NONE
};
