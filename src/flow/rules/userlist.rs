//! Who is who: `userlist` sections (manual 3.4). In comes a name with a password, out comes whether they
//! fit, and the groups they belong to.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use yescrypt::{PasswordHash, PasswordVerifier, Yescrypt};

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, Spec};
use crate::config::words::Word;

/// A running `userlist`.
#[derive(Debug, Default)]
pub struct Userlist {
    users: HashMap<Vec<u8>, User>,
}

#[derive(Debug, Default)]
struct User {
    password: Option<Password>,
    groups: Vec<Vec<u8>>,
    /// What was found right last: crypt(3) is slow on purpose, and clients ask with every request.
    proven: Mutex<Option<[u8; 32]>>,
}

#[derive(Debug)]
enum Password {
    /// `password`: what crypt(3) makes of it.
    Crypted(Vec<u8>),
    /// `insecure-password`
    Plain(Vec<u8>),
}

impl Userlist {
    /// All lists of a configuration, by name; of two with one name the first.
    pub fn compile_all(spec: &Spec) -> HashMap<String, Arc<Userlist>> {
        let lists = spec.sections.iter().rev().filter(|s| s.section == Sections::USERLIST);
        lists.map(|s| (s.name.clone(), Arc::new(Userlist::of(s)))).collect()
    }

    fn of(section: &NamedSection) -> Userlist {
        let mut list = Userlist::default();
        let lines = || section.lines.iter().map(|(_, words)| words.as_slice());
        for (name, options) in lines().filter_map(|words| entry(words, "user")) {
            let mut user = User::default();
            for (option, value) in pairs(options) {
                match option {
                    b"password" => user.password = Some(Password::Crypted(value.to_vec())),
                    b"insecure-password" => user.password = Some(Password::Plain(value.to_vec())),
                    _ => user.groups = names(value),
                }
            }
            // Of two with one name the first counts.
            list.users.entry(name.bytes().to_vec()).or_insert(user);
        }
        for (group, options) in lines().filter_map(|words| entry(words, "group")) {
            for name in pairs(options).flat_map(|(_, users)| names(users)) {
                if let Some(user) = list.users.get_mut(&name) {
                    user.groups.push(group.bytes().to_vec());
                }
            }
        }
        list
    }

    /// Whether there is such a user with this password.
    pub fn knows(&self, name: &[u8], password: &[u8]) -> bool {
        self.users.get(name).is_some_and(|user| user.has(password))
    }

    /// The groups of a user.
    pub fn groups(&self, name: &[u8]) -> &[Vec<u8>] {
        self.users.get(name).map_or(&[], |user| &user.groups)
    }
}

impl User {
    fn has(&self, password: &[u8]) -> bool {
        match &self.password {
            None => false,
            Some(Password::Plain(plain)) => same(plain, password),
            Some(Password::Crypted(crypted)) => {
                let trace = trace(password);
                if self.proven.lock().is_some_and(|proven| proven == trace) {
                    return true;
                }
                let fits = crypt_fits(crypted, password);
                if fits {
                    *self.proven.lock() = Some(trace);
                }
                fits
            }
        }
    }
}

/// Compares in a time that depends on the lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

/// What is remembered of a password: a digest that means nothing outside of this process.
fn trace(password: &[u8]) -> [u8; 32] {
    static SECRET: LazyLock<[u64; 2]> =
        LazyLock::new(|| [RandomState::new().hash_one(1), RandomState::new().hash_one(2)]);
    let mut digest = Sha256::new();
    for part in *SECRET {
        digest.update(part.to_ne_bytes());
    }
    digest.update(password);
    digest.finalize().into()
}

/// Whether crypt(3) makes `crypted` of the password: DES, extended DES, MD5, bcrypt, SHA-256, SHA-512,
/// yescrypt.
fn crypt_fits(crypted: &[u8], password: &[u8]) -> bool {
    let Ok(crypted) = std::str::from_utf8(crypted) else { return false };
    if !crypted.starts_with("$y$") {
        return pwhash::unix::verify(password, crypted);
    }
    PasswordHash::new(crypted)
        .is_ok_and(|hash| Yescrypt::default().verify_password(password, &hash).is_ok())
}

/// The name and the options of a line that begins with this keyword.
fn entry<'a>(words: &'a [Word], keyword: &str) -> Option<(&'a Word, &'a [Word])> {
    let [first, name, options @ ..] = words else { return None };
    (*first == *keyword).then_some((name, options))
}

/// Options with their values.
fn pairs(options: &[Word]) -> impl Iterator<Item = (&[u8], &[u8])> {
    options.chunks(2).filter_map(|pair| Some((pair.first()?.bytes(), pair.get(1)?.bytes())))
}

fn names(list: &[u8]) -> Vec<Vec<u8>> {
    list.split(|b| *b == b',').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

fn user(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(line.bare("'user' expects <name> as arguments."));
    }
    while let Some(word) = line.word() {
        match &*word.str() {
            "password" | "insecure-password" | "groups" => {
                line.word();
            }
            _ => {
                return Err(line.bare(
                    "'user' only supports 'password', 'insecure-password' and 'groups' options.",
                ));
            }
        }
    }
    Ok(())
}

fn group(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(line.bare("'group' expects <name> as arguments."));
    }
    while let Some(word) = line.word() {
        if *word != *"users" {
            return Err(line.bare("'group' only supports 'users' option."));
        }
        line.word();
    }
    Ok(())
}

const USERLIST: Keyword =
    Keyword { sections: Sections::USERLIST, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "group",
            args: "<groupname> [users <user>,...]",
            doc: "A group of users.",
            examples: &["group admins users anna"],
            parse: group,
            ..USERLIST
        },
        Keyword {
            name: "user",
            args: "<username> [password|insecure-password <password>] [groups <group>,...]",
            doc: "A user, with a password as crypt(3) stores it or as it is typed.",
            examples: &["user anna insecure-password secret"],
            parse: user,
            ..USERLIST
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_stored_password_is_understood() {
        let stored: [&[u8]; 8] = [
            b"abccBcrPOxnLU",
            b"_J9..rasmQdkFnFzbQ9g",
            b"$1$saltsalt$hZR.9zfJXcVTsa9iTxnQR1",
            b"$2b$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6",
            b"$5$saltsalt$9k0iflfLhuazVMAUTm0egnVlpP5ays5xBLqSJuoPfB9",
            b"$5$rounds=1000$salt$efY5sspsB5/gVjNHhKGPaSGUZTuv/YYWBIxMInXRsA.",
            b"$6$saltsalt$KN.twvCyfwE67paW76hS2/bacYkY9PxIhxqYG9vL5bZmIwWBGDJ6mu4HlCosKUBfQwVXKXxXVXPcqdwd1Ip0X/",
            b"$y$j75$saltsalt$02uBulIsvLI5ZKAeg1YegqtfMHVVcPUxHxUsdQ5M9s9",
        ];
        for crypted in stored {
            let name = String::from_utf8_lossy(crypted);
            assert!(crypt_fits(crypted, b"pass"), "{name}");
            assert!(!crypt_fits(crypted, b"pasS"), "{name}");
        }
        assert!(!crypt_fits(b"", b"pass"));
        assert!(!crypt_fits(b"$9$what$ever", b"pass"));
    }
}
