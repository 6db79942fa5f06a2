//! The side-by-side run: this haproxy, a reference haproxy and nginx under the same load, in turn.
//! In: the rows to run (default: all). Out: one table with costs, ratios and the targets they have
//! to meet. `cargo bench --bench compare -- --help` says the rest.

mod arguments;
#[path = "../rig/mod.rs"]
mod rig;
mod rows;
mod table;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use arguments::Arguments;
use rig::cpus::Split;
use rig::proxy::Program;
use rig::traffic::Traffic;
use rows::Bench;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if every target that was measured is met.
fn run() -> Result<bool> {
    let Some(arguments) = Arguments::read(std::env::args().skip(1))? else { return Ok(true) };
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let cpus = Split::of_this_process()?;
    cpus.stay_on_our_side()?;
    let folder = tempfile_folder()?;
    let programs = programs(&arguments);
    table::print_head(&programs, &arguments, cpus.apart);
    // Log lines are sent here and thrown away.
    let log = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    let traffic = Traffic::new()?;
    let mut bench = Bench { programs, cpus, traffic, log, folder: folder.clone() };
    let mut all_met = true;
    for row in rows::ROWS.iter().filter(|row| arguments.wants(row.name)) {
        let measured = bench.measure(row, &arguments);
        all_met &= table::print_row(row, &bench.programs, &measured);
    }
    let _ = std::fs::remove_dir_all(folder);
    Ok(all_met || !arguments.strict)
}

/// Ours first, then the reference, then nginx; what is missing is said.
fn programs(arguments: &Arguments) -> Vec<Program> {
    let mut programs = vec![match &arguments.binary {
        Some(path) => {
            let name = Program::reference(path).map_or("ours".into(), |known| known.name);
            Program::haproxy(&format!("{name} as ours"), path)
        }
        None => Program::haproxy("haproxy-rs", Path::new(env!("CARGO_BIN_EXE_haproxy"))),
    }];
    if arguments.itself {
        let path = programs[0].path.clone();
        programs.push(Program::haproxy("the same again", &path));
        return programs;
    }
    match Program::reference(&arguments.reference) {
        Some(reference) => programs.push(reference),
        None => println!("no haproxy at {}: no ratios", arguments.reference.display()),
    }
    match Program::nginx(Path::new("/usr/sbin/nginx")).filter(|_| arguments.nginx) {
        Some(nginx) => programs.push(nginx),
        None => println!("no nginx in this run"),
    }
    programs
}

fn tempfile_folder() -> Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("haproxy-compare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("a folder for configurations")?;
    Ok(folder)
}
