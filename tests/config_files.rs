//! The files that `filter spoe` names: what 2.3.0 says of each of `fixtures/config/spoe` is said here. Each
//! file's first line, `# expect: …`, holds the first alert, `warning: …` or `valid`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a folder, and what is expected of each.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| !path.ends_with("main.cfg")).collect();
    files.sort();
    let expected = |path: PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let expected = line.strip_prefix("# expect: ").unwrap_or_else(|| panic!("{path:?}"));
        (path.clone(), expected.to_owned())
    };
    files.into_iter().map(expected).collect()
}

/// What the binary says of the folder's `main.cfg`, in which `$FILE` is the file's name.
fn verdict(folder: &Path, file: &Path) -> String {
    let run = Command::new(crate::binary())
        .current_dir(folder)
        .env("FILE", file.file_name().unwrap())
        .args(["-c", "-f", "main.cfg"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let first = |level: &str| {
        let line = said
            .lines()
            .find(|line| line.starts_with(level) && !line.ends_with("is not built yet."))?;
        line.split_once(") : ").map(|(_, text)| text.to_owned())
    };
    let alert = first("[ALERT] ");
    assert_eq!(run.status.code(), Some(i32::from(alert.is_some())), "{}: {said}", file.display());
    let warning = || first("[WARNING] ").map(|text| format!("warning: {text}"));
    alert.or_else(warning).unwrap_or_else(|| "valid".to_owned())
}

fn compare(folder: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(folder);
    let files = files(&folder);
    let mut wrong = Vec::new();
    for (file, expected) in &files {
        let told = verdict(&folder, file);
        if told != *expected {
            wrong.push(format!("{}\n  expected {expected}\n  told     {told}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(files.len() >= at_least, "only {} files", files.len());
}

#[test]
fn spoe_files_get_the_verdicts_of_2_3() {
    compare("spoe", 80);
}
