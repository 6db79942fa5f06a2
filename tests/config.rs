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
    let purpose = Purpose { bind: false, cpus: 2 };
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
        let run = Command::new(crate::binary())
            .current_dir(folder)
            .args(["-c", "-f"])
            .arg(name)
            .output()
            .unwrap();
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
    let run = Command::new(crate::binary()).current_dir(folder).args(args).output().unwrap();
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
