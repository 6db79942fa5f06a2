//! `haproxy-compat`: argv to exit status. Exit 0: agreement; 1: a difference; 2: it could not run.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use haproxy_compat::binaries::Reference;
use haproxy_compat::coverage::Verdict;
use haproxy_compat::{check, compare, corpus, coverage, ledger, man, releases, scenarios};

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let outcome = match matches.subcommand() {
        Some(("compare", given)) => run_compare(given),
        Some(("coverage", given)) => run_coverage(given),
        Some(("check", given)) => run_check(given),
        Some(("corpus", given)) => run_corpus(given),
        Some(("man", given)) => run_man(given),
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
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).required(true).value_parser(value_parser!(PathBuf)).help(help)
    };
    let compare = Command::new("compare")
        .about("Runs scenarios on two binaries and prints what differs")
        .arg(Arg::new("scenario").num_args(0..).help("parts of scenario names; all if none"))
        .arg(
            Arg::new("changes")
                .long("changes")
                .action(ArgAction::SetTrue)
                .help("only list where releases, or 2.3 and ours, are known to differ"),
        )
        .arg(reference())
        .arg(ours());
    let status = Arg::new("status").long("status").value_parser([
        "works",
        "no-effect",
        "planned",
        "missing",
    ]);
    let coverage = Command::new("coverage")
        .about("Prints every name of a ledger and how far its effect goes here")
        .arg(path("ledger", "the folder with the lists of names").required(true))
        .arg(status.help("only the names of this status"))
        .arg(ours());
    let check = Command::new("check")
        .about("Tells what of a configuration is supported, and whether a reference agrees")
        .arg(file("file", "the configuration"))
        .arg(reference())
        .arg(ours());
    let corpus = Command::new("corpus")
        .about("Checks a folder of configurations against recorded verdicts")
        .arg(file("folder", "holds NAME/haproxy.cfg and expected.tsv"))
        .arg(ours());
    let man = Command::new("man")
        .about("Writes the manual pages that are generated from the catalog")
        .arg(path("folder", "where they go").default_value("man"))
        .arg(
            Arg::new("check").long("check").action(ArgAction::SetTrue).help("only tell stale ones"),
        );
    Command::new("haproxy-compat")
        .about("Compares a haproxy binary with a reference one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([compare, coverage, check, corpus, man])
}

fn run_compare(given: &ArgMatches) -> Result<bool> {
    let wanted: Vec<String> = given.get_many("scenario").into_iter().flatten().cloned().collect();
    if given.get_flag("changes") {
        return Ok(list_changes());
    }
    let (reference, ours) = (Reference::of(&path(given, "reference")?)?, path(given, "ours")?);
    let scenarios = compare::select(&wanted);
    let mut unfit = 0;
    let (mut same, mut meant, mut wrong, mut broken) = (0, 0, 0, 0);
    for scenario in &scenarios {
        if let Some(why) = compare::unfit(scenario, &reference) {
            println!("not run    {}: {why}", scenario.name);
            unfit += 1;
            continue;
        }
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
        "{} scenarios: {same} the same, {meant} different on purpose, {wrong} different, {broken} broken, {unfit} not run",
        scenarios.len()
    );
    Ok(wrong + broken == 0)
}

/// Prints where releases differ, and where ours differs from 2.3 on purpose.
fn list_changes() -> bool {
    println!("everywhere:");
    releases::CHANGES.iter().for_each(|change| println!("    {}", change.what));
    let all = scenarios::all();
    println!("later releases do otherwise, ours does as 2.3:");
    for scenario in all.iter().filter(|scenario| !scenario.later.is_empty()) {
        println!("    {}: {}", scenario.name, scenario.later);
    }
    println!("ours differs from 2.3 on purpose:");
    for scenario in all.iter().filter(|scenario| !scenario.deliberate.is_empty()) {
        println!("    {}: {}", scenario.name, scenario.deliberate);
    }
    true
}

fn run_coverage(given: &ArgMatches) -> Result<bool> {
    let entries = ledger::read(&path(given, "ledger")?)?;
    let coverage = coverage::coverage(entries, &path(given, "ours")?);
    let wanted = given.get_one::<String>("status").map(|status| match status.as_str() {
        "works" => Verdict::Works,
        "no-effect" => Verdict::NoEffect,
        "planned" => Verdict::Planned,
        _ => Verdict::Missing,
    });
    print!("{}\n{coverage}", coverage.names(wanted));
    Ok(coverage.missing() == 0)
}

fn run_check(given: &ArgMatches) -> Result<bool> {
    let (reference, ours) = (path(given, "reference")?, path(given, "ours")?);
    let checked = check::check(&path(given, "file")?, &ours, &reference)?;
    print!("{checked}");
    Ok(checked.is_supported())
}

fn run_corpus(given: &ArgMatches) -> Result<bool> {
    let corpus = corpus::run(&path(given, "folder")?, &path(given, "ours")?)?;
    print!("{corpus}");
    Ok(corpus.is_good())
}

fn run_man(given: &ArgMatches) -> Result<bool> {
    let folder = path(given, "folder")?;
    if !given.get_flag("check") {
        man::write(&folder)?;
        return Ok(true);
    }
    let stale = man::stale(&folder);
    stale.iter().for_each(|name| println!("{name} is not what the catalog says"));
    Ok(stale.is_empty())
}

/// A path, absolute: the processes run in folders of their own.
fn path(given: &ArgMatches, name: &str) -> Result<PathBuf> {
    let path = given.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    std::path::absolute(&path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}
