//! `haproxy-compat`: argv to exit status. Exit 0: agreement; 1: a difference; 2: it could not run.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgMatches, Command, value_parser};
use haproxy_compat::compare;

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let outcome = match matches.subcommand() {
        Some(("compare", given)) => run_compare(given),
        _ => Ok(true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("haproxy-compat: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn command_line() -> Command {
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PATH").value_parser(value_parser!(PathBuf)).help(help)
    };
    let reference = || path("reference", "a real haproxy").default_value("/usr/sbin/haproxy");
    let ours = || path("ours", "the binary to judge").default_value("target/debug/haproxy");
    let compare = Command::new("compare")
        .about("Runs scenarios on two binaries and prints what differs")
        .arg(Arg::new("scenario").num_args(0..).help("parts of scenario names; all if none"))
        .arg(reference())
        .arg(ours());
    Command::new("haproxy-compat")
        .about("Compares a haproxy binary with a reference one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(compare)
}

fn run_compare(given: &ArgMatches) -> Result<bool> {
    let wanted: Vec<String> = given.get_many("scenario").into_iter().flatten().cloned().collect();
    let (reference, ours) = (path(given, "reference")?, path(given, "ours")?);
    let scenarios = compare::select(&wanted);
    let (mut same, mut meant, mut wrong, mut broken) = (0, 0, 0, 0);
    for scenario in &scenarios {
        match compare::compare(scenario, &reference, &ours) {
            Ok(comparison) => {
                print!("{comparison}");
                let count = match (comparison.is_wrong(), comparison.differences.is_empty()) {
                    (true, _) => &mut wrong,
                    (false, true) => &mut same,
                    (false, false) => &mut meant,
                };
                *count += 1;
            }
            Err(error) => {
                println!("broken     {}: {error:#}", scenario.name);
                broken += 1;
            }
        }
    }
    println!(
        "{} scenarios: {same} the same, {meant} different on purpose, {wrong} different, {broken} broken",
        scenarios.len()
    );
    Ok(wrong + broken == 0)
}

/// A path, absolute: the processes run in folders of their own.
fn path(given: &ArgMatches, name: &str) -> Result<PathBuf> {
    let path = given.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    std::path::absolute(&path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}
