//! The verdicts on `fixtures/config`: what 2.3.0 refuses is refused with its first line, what it
//! accepts is accepted. All files go through the library, some also through the binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use haproxy::config::compile::Purpose;
use haproxy::config::diagnostic::Diagnostics;
use haproxy::config::outside::{RealOutside, Sockets};
use haproxy::config::source::{self, Source};
use haproxy::config::understood::{Understood, understand};
use haproxy::config::{load, parse};
use haproxy_compat::harness::run as run_process;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(kind);
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The first alert's first line, with the file's bare name in it.
fn first_alert(file: &Path) -> Option<String> {
    let mut outside = RealOutside::new(Sockets::default());
    let purpose = Purpose { bind: false, cpus: 2, tolerates_names: false };
    let loaded = load(&[file.to_owned()], &mut outside, None, purpose);
    let alert = loaded.diagnostics.list.into_iter().find(|d| d.refuses)?;
    let folder = format!("{}/", file.parent()?.display());
    Some(alert.text.lines().next()?.replace(&folder, ""))
}

/// What the file's first line expects.
fn expected(file: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("# expect: ").unwrap_or_else(|| panic!("{file:?} expects nothing")).to_owned()
}

#[test]
fn what_2_3_refuses_is_refused_with_its_words() {
    let files = fixtures("invalid");
    let mut wrong = Vec::new();
    for file in &files {
        let (expected, told) = (expected(file), first_alert(file));
        if told.as_deref() != Some(&expected) {
            wrong.push(format!("{}\n  expected {expected}\n  told     {told:?}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(files.len() >= 300, "only {} mistakes", files.len());
}

#[test]
fn what_2_3_accepts_is_accepted() {
    let files = fixtures("valid");
    let refused = files.iter().filter_map(|file| Some((file, first_alert(file)?)));
    let refused: Vec<String> =
        refused.map(|(file, alert)| format!("{}: {alert}", file.display())).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(!files.is_empty());
}

#[test]
fn the_binary_says_the_same_and_exits_with_1() {
    for file in fixtures("invalid").iter().step_by(50) {
        let (folder, name) = (file.parent().unwrap(), file.file_name().unwrap());
        let mut command = Command::new(crate::binary());
        let run = run_process(command.current_dir(folder).args(["-c", "-f"]).arg(name)).unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        let alert = said.lines().find(|line| line.starts_with("[ALERT] ")).unwrap_or_default();
        let text = alert.split_once(") : ").map_or("", |(_, text)| text);
        assert_eq!(text, expected(file), "{said}");
        assert_eq!(run.status.code(), Some(1), "{said}");
    }
}

/// What the program understands of a text.
fn understood(source: &Source) -> Understood {
    let mut diagnostics = Diagnostics::default();
    let mut outside = RealOutside::new(Sockets::default());
    let understood = understand(std::slice::from_ref(source), &mut outside, &mut diagnostics);
    let alerts = diagnostics.list.into_iter().filter(|d| d.refuses);
    assert_eq!(alerts.map(|d| d.text).collect::<Vec<_>>(), [""; 0], "{}", source.name);
    understood
}

#[test]
fn what_was_understood_parses_to_the_same_spec() {
    let mut files = fixtures("valid");
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/haproxy.cfg"));
    for file in files {
        let mut outside = RealOutside::new(Sockets::default());
        let original = understood(&source::read(&file, &mut outside).unwrap());
        let printed = original.to_string();
        let again = Source { name: "printed".into(), text: printed.clone().into_bytes().into() };
        let same = original.spec == understood(&again).spec;
        assert!(same, "{}:\n{printed}", file.display());
        assert_eq!(original.directives, understood(&again).directives);
    }
}

#[test]
fn specs_of_different_words_differ() {
    let spec = |text: &str| {
        let source = Source { name: "x".into(), text: text.as_bytes().into() };
        let mut outside = RealOutside::new(Sockets::default());
        parse(&[source], &mut outside, &mut Diagnostics::default())
    };
    let one = "frontend f\n http-request deny if { path /a }\n";
    assert_eq!(spec(one), spec(&format!("\n{}", one.replace(" /a", "   '/a'"))));
    assert_ne!(spec(one), spec(&one.replace("/a", "/b")));
    assert_ne!(spec(one), spec(&one.replace("frontend", "listen")));
}

/// Runs the binary in the folder of fixtures that are valid.
fn run(args: &[&str]) -> (i32, String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    let run = run_process(Command::new(crate::binary()).current_dir(folder).args(args)).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (run.status.code().unwrap_or(-1), text(&run.stdout), text(&run.stderr))
}

#[test]
fn the_binary_prints_what_it_understood() {
    let first = fixtures("valid").remove(0);
    let file = format!("valid/{}", first.file_name().unwrap().to_string_lossy());
    let (status, printed, said) = run(&["-dC", "-f", &file]);
    assert_eq!(status, 0, "{said}");
    let source = source::read(&first, &mut RealOutside::new(Sockets::default())).unwrap();
    let expected = understood(&source).to_string().replace(&*first.to_string_lossy(), &file);
    assert_eq!(printed, expected);
    let (status, printed, said) = run(&["-dC", "-f", "invalid/backend-a-b.cfg"]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("[ALERT]") && printed.contains("# invalid/backend-a-b.cfg:"),
        "{printed}{said}"
    );
}

#[test]
fn the_binary_lists_names_and_goes_on() {
    let (status, listed, said) = run(&["-dKflt,svc", "-q", "-c", "-f", "/dev/null"]);
    let expected = "# List of registered filter names:\ncache\ncompression\nfcgi-app\nspoe\ntrace\n\
        # List of registered service names:\nprometheus-exporter\n";
    assert_eq!((status, listed.as_str()), (2, expected), "{said}");
    let (_, help, _) = run(&["-dKhelp", "-q", "-c", "-f", "/dev/null"]);
    assert!(help.starts_with("# List of supported keyword classes:\nall: "), "{help}");
}

/// A folder for one test, with these files.
fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("config-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

/// What `-c -f FILE …` says of files in a folder: the status, stdout, and stderr's messages without date.
fn check(folder: &Path, args: &[&str]) -> (i32, String, Vec<String>) {
    let mut command = Command::new(crate::binary());
    command.current_dir(folder).arg("-c").args(args).stdin(std::process::Stdio::null());
    let run = run_process(&mut command).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&run.stderr);
    assert!(!said.contains("panicked"), "{said}");
    let messages = said.lines().filter(|line| line.starts_with('[')).map(|line| {
        let level = line.split(' ').next().unwrap();
        format!("{level} {}", line.split_once(") : ").map_or("", |(_, text)| text))
    });
    (run.status.code().unwrap_or(-1), text(&run.stdout), messages.collect())
}

/// The alerts among messages.
fn alerts(messages: &[String]) -> Vec<&str> {
    messages.iter().filter_map(|m| m.strip_prefix("[ALERT] ")).collect()
}

const VALID: &[u8] = b"frontend f\n    bind 127.0.0.1:8080\n    timeout client 5s\n";

#[test]
fn files_that_are_no_text() {
    let noise: Vec<u8> = (0..=255).cycle().take(5_000).map(|n: u8| n.wrapping_mul(7)).collect();
    let nul = b"frontend f\n    bind 127.0.0.1:8080\n    timeout\0client 5s\n\n";
    let folder = folder(
        "binary",
        &[("noise.cfg", &noise), ("nul.cfg", nul), ("cut.cfg", b"global\n    daemon")],
    );
    let (status, _, said) = check(&folder, &["-f", "noise.cfg"]);
    assert_eq!(status, 1);
    assert!(alerts(&said)[0].starts_with("parsing [noise.cfg:1]: "), "{said:?}");
    let (status, _, said) = check(&folder, &["-f", "nul.cfg"]);
    assert_eq!(status, 1);
    assert!(
        alerts(&said).contains(&"parsing [nul.cfg:3]: Stray NUL character at position 12."),
        "{said:?}"
    );
    let (status, _, said) = check(&folder, &["-f", "cut.cfg"]);
    assert_eq!(status, 1);
    let missing = "parsing [cut.cfg:2]: Missing LF on last line, file might have been truncated at position 11.";
    assert_eq!(alerts(&said)[0], missing);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn files_that_cannot_be_read() {
    let folder = folder("unreadable", &[("a.cfg", VALID)]);
    let (status, _, said) = check(&folder, &["-f", "nosuch.cfg"]);
    let told = "Cannot open configuration file/directory nosuch.cfg : No such file or directory";
    assert_eq!((status, alerts(&said)), (1, vec![told]));
    let (status, _, said) = check(&folder, &["-f", "a.cfg/b"]);
    let told = "Cannot open configuration file/directory a.cfg/b : Not a directory";
    assert_eq!((status, alerts(&said)), (1, vec![told]));
    // A socket can be named, but not opened.
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    let (status, _, said) = check(&folder, &["-f", "socket"]);
    let told = "Could not open configuration file socket : No such device or address";
    assert_eq!((status, alerts(&said)), (1, vec![told]));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn directories_are_their_files() {
    let folder = folder("directory", &[]);
    std::fs::create_dir_all(folder.join("d/x.cfg")).unwrap();
    std::fs::create_dir_all(folder.join("e")).unwrap();
    std::fs::write(folder.join("d/b.cfg"), VALID).unwrap();
    std::fs::write(folder.join("d/a.cfg"), b"global\n    maxconn 10\n").unwrap();
    std::fs::write(folder.join("d/.c.cfg"), b"nonsense\n").unwrap();
    assert_eq!(check(&folder, &["-f", "d"]).0, 0);
    assert_eq!(check(&folder, &["-f", "d", "-f", "d/a.cfg"]).0, 0);
    let (status, _, said) = check(&folder, &["-f", "e"]);
    assert_eq!((status, said), (1, vec![]), "an empty folder is no configuration");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn one_file_named_twice() {
    let folder = folder("twice", &[("a.cfg", VALID)]);
    let (status, _, said) = check(&folder, &["-f", "a.cfg", "-f", "a.cfg"]);
    assert_eq!(status, 1);
    let told =
        "Parsing [a.cfg:1]: frontend 'f' has the same name as frontend 'f' declared at a.cfg:1.";
    assert_eq!(alerts(&said)[0], told);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn long_lines_crlf_and_bytes_that_are_not_utf8() {
    let long = [
        b"frontend f\n    bind 127.0.0.1:8080\n    description ",
        &[b'x'; 65_536][..],
        b"\n    timeout client 5s\n",
    ]
    .concat();
    let crlf = b"frontend f\r\n    bind 127.0.0.1:8080\r\n    timeout client 5s\r\n";
    let latin =
        b"frontend f\n    bind 127.0.0.1:8080\n    description caf\xe9\n    timeout client 5s\n";
    let odd = b"frontend f\n    bind 127.0.0.1:8080\n    caf\xe9 \xff\n";
    let folder = folder(
        "bytes",
        &[("long.cfg", &long), ("crlf.cfg", crlf), ("latin.cfg", latin), ("odd.cfg", odd)],
    );
    for file in ["long.cfg", "crlf.cfg", "latin.cfg"] {
        let (status, out, said) = check(&folder, &["-f", file]);
        assert_eq!(
            (status, out.as_str(), said),
            (0, "Configuration file is valid\n", vec![]),
            "{file}"
        );
    }
    let (status, _, said) = check(&folder, &["-f", "odd.cfg"]);
    assert_eq!(status, 1);
    assert!(alerts(&said)[0].starts_with("parsing [odd.cfg:3] : unknown keyword 'caf"), "{said:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn ten_thousand_mistakes_are_counted() {
    let mut text = b"frontend f\n".to_vec();
    (0..10_000).for_each(|n| text.extend(format!("    bimd{n} x\n").bytes()));
    let folder = folder("many", &[("many.cfg", &text)]);
    let (status, _, said) = check(&folder, &["-f", "many.cfg"]);
    assert_eq!(status, 1);
    let told = alerts(&said);
    let about_lines = told.iter().filter(|text| text.starts_with("parsing ")).count();
    assert_eq!(about_lines, 100);
    assert_eq!(told[100], "9900 more mistakes are not shown, 10000 in all.");
    assert_eq!(told[101], "Error(s) found in configuration file : many.cfg");
    assert_eq!(told[102..], ["Fatal errors found in configuration."]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_mistake_is_shown_and_explained() {
    let text = b"frontend f\n    bind 127.0.0.1:8080\n    timout client 5s\n    timeout client x\n";
    let folder = folder("help", &[("a.cfg", text)]);
    let mut command = Command::new(crate::binary());
    let run = run_process(command.current_dir(&folder).args(["-c", "-f", "a.cfg"])).unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let after = |needle: &str| {
        let (_, rest) = said.split_once(needle).unwrap_or_else(|| panic!("{needle} in {said}"));
        rest.lines().skip(1).take_while(|line| line.starts_with(' ')).collect::<Vec<_>>()
    };
    let expected = [
        "  |     timout client 5s",
        "  |     ^",
        "  did you mean 'timeout client'?",
        "  manual: chapter 4.1",
    ];
    assert_eq!(after("unknown keyword 'timout'"), expected);
    let expected = [
        "  |     timeout client x",
        "  |                    ^",
        "  usage: timeout client <timeout>",
        "  manual: chapter 4.2, \"timeout client\"",
    ];
    assert_eq!(after("[a.cfg:4]"), expected);
    assert!(!said.contains('\x1b'), "no colours: this is no terminal");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_printed_and_the_exit_status() {
    let warned = b"frontend f\n    bind 127.0.0.1:8080\n";
    let folder = folder(
        "status",
        &[
            ("ok.cfg", VALID),
            ("warned.cfg", warned),
            ("none.cfg", b"global\n"),
            ("bad.cfg", b"nonsense\n"),
        ],
    );
    let valid = "Configuration file is valid\n";
    let nothing = "Configuration file has no error but will not start (no listener) => exit(2).\n";
    let cases: &[(&[&str], i32, &str)] = &[
        (&["-f", "ok.cfg"], 0, valid),
        (&["-V", "-f", "ok.cfg"], 0, valid),
        (&["-q", "-f", "ok.cfg"], 0, ""),
        (&["-q", "-V", "-f", "ok.cfg"], 0, valid),
        (&["-f", "warned.cfg"], 0, "Warnings were found.\nConfiguration file is valid\n"),
        (&["-dW", "-f", "warned.cfg"], 1, ""),
        (&["-f", "none.cfg"], 2, nothing),
        (&["-q", "-f", "none.cfg"], 2, ""),
        (&["-f", "bad.cfg"], 1, ""),
        (&["-f", "none.cfg", "-f", "ok.cfg"], 0, valid),
        (&["-f", "ok.cfg", "--", "none.cfg"], 0, valid),
        (&["-f", "/dev/stdin"], 2, nothing),
    ];
    for (args, status, printed) in cases {
        let (got, out, said) = check(&folder, args);
        assert_eq!((got, out.as_str()), (*status, *printed), "{args:?}: {said:?}");
    }
    let (_, _, said) = check(&folder, &["-q", "-f", "warned.cfg"]);
    assert_eq!(said, [""; 0], "warnings are not told with -q");
    let (_, _, said) = check(&folder, &["-q", "-f", "bad.cfg"]);
    assert!(!alerts(&said).is_empty());
    std::fs::remove_dir_all(folder).unwrap();
}
