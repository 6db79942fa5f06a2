//! What is fed with arbitrary bytes: each function takes any input and must return, without a panic, in
//! time and memory that grow with the input. Driven by libFuzzer (`tests/fuzz`) and by `tests/properties.rs`.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use haproxy::config::compile::Purpose;
use haproxy::config::load;
use haproxy::config::outside::{BindError, Bound, Files, Listen, Outside};
use haproxy::config::words;
use haproxy::sample::expr::Expr;

/// A target's name and what it does with its input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("words", words),
    ("sections", sections),
    ("expressions", expressions),
    ("log_format", log_format),
    ("map", map),
    ("acl", acl),
    ("crt_list", crt_list),
    ("spoe", spoe),
];

/// One line becomes words; what is printed again becomes the same words.
pub fn words(data: &[u8]) {
    let line = data.split(|b| *b == b'\n').next().unwrap_or_default();
    let Ok(split) = words::split(line, &|name| (name.len() < 4).then(|| name.into())) else {
        return;
    };
    assert!(split.len() <= words::MAX_WORDS);
    let printed: Vec<String> = split.iter().map(words::quote).collect();
    let again = words::split(printed.join(" ").as_bytes(), &|_| None);
    let texts = |list: &[words::Word]| list.iter().map(|w| w.bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(again.map(|list| texts(&list)), Ok(texts(&split)));
}

/// A whole configuration.
pub fn sections(data: &[u8]) {
    run(data, b"");
}

/// A sample expression.
pub fn expressions(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Expr::parse(text);
    }
}

/// A log format, in a frontend.
pub fn log_format(data: &[u8]) {
    let mut text = b"frontend f\n mode http\n log 127.0.0.1:1 local0\n log-format ".to_vec();
    quoted(data, &mut text);
    run(&text, b"");
}

/// A map's file, looked at in several ways.
pub fn map(data: &[u8]) {
    let converters = ["map_str", "map_reg", "map_ip_int", "map_beg", "map_str_ip", "map_int_int"];
    let mut text = b"frontend f\n mode http\n".to_vec();
    for (name, head) in converters.iter().zip(["path", "path", "src", "path", "path", "int(1)"]) {
        text.extend(format!(" http-request set-header x %[{head},{name}(/data)]\n").bytes());
    }
    run(&text, data);
}

/// An ACL's file, read with every match method.
pub fn acl(data: &[u8]) {
    let mut text = b"frontend f\n mode http\n".to_vec();
    for method in ["str", "beg", "end", "sub", "dir", "dom", "reg", "bin", "len", "int", "ip"] {
        text.extend(format!(" acl {method} path -m {method} -f /data\n").bytes());
    }
    run(&text, data);
}

/// A list of certificates.
pub fn crt_list(data: &[u8]) {
    run(b"frontend f\n bind 127.0.0.1:1 ssl crt-list /data\n", data);
}

/// What `filter spoe` names, with an engine's scope and without one.
pub fn spoe(data: &[u8]) {
    for engine in ["", " engine e"] {
        let filter = format!(" filter spoe{engine} config /data\n");
        let text = format!("listen f\n mode http\n bind 127.0.0.1:1\n{filter}");
        run(text.as_bytes(), data);
    }
}

/// The bytes as one word, between quotes.
fn quoted(data: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in data {
        match byte {
            b'"' | b'\\' | b'$' => out.extend([b'\\', *byte]),
            b'\n' | b'\r' | 0 => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    out.extend(b"\"\n");
}

/// Loads a configuration that may read `data` from `/data`, and nothing else.
fn run(configuration: &[u8], data: &[u8]) {
    let world =
        Nothing { files: Rc::new(Two { configuration: configuration.into(), data: data.into() }) };
    let purpose = Purpose { bind: false, cpus: 1, tolerates_names: false };
    let loaded = load(&[PathBuf::from("/t.cfg")], &mut { world }, None, purpose);
    assert_eq!(loaded.world.is_none(), loaded.diagnostics.refused());
}

/// Nothing outside but two files.
struct Nothing {
    files: Rc<Two>,
}

struct Two {
    configuration: Arc<[u8]>,
    data: Arc<[u8]>,
}

impl Files for Two {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        match path.to_str() {
            Some("/t.cfg") => Ok(self.configuration.clone()),
            Some("/data") => Ok(self.data.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Outside for Nothing {
    fn read_file(&mut self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.files.read(path)
    }

    fn files(&self) -> Rc<dyn Files> {
        self.files.clone()
    }

    fn list_directory(&mut self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Err(io::ErrorKind::NotADirectory.into())
    }

    fn resolve(&mut self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn user(&mut self, _: &str) -> Option<u32> {
        None
    }

    fn group(&mut self, _: &str) -> Option<u32> {
        None
    }

    fn env(&mut self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn hostname(&mut self) -> String {
        "host".to_owned()
    }

    fn bind(&mut self, _: &Listen) -> Result<Bound, BindError> {
        Err(BindError("nothing is bound".to_owned()))
    }

    fn log_socket(&mut self, _: &Path) -> io::Result<Arc<OwnedFd>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
