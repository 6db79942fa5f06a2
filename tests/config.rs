//! The verdicts on `fixtures/config`: what 2.3.0 refuses is refused with its first line, what it
//! accepts is accepted. All files go through the library, some also through the binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use haproxy::config::compile::Purpose;
use haproxy::config::diagnostic::Level;
use haproxy::config::load;
use haproxy::config::outside::{RealOutside, Sockets};

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
    let alert = loaded.diagnostics.list.into_iter().find(|d| d.level == Level::Alert)?;
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
