//! The process: command line, start, signals, master and worker (management.txt 3 and 4).
//!
//! In: the words of the command line. Out: the exit status. A configuration is loaded first; then the process is
//! a single one, or a master with a worker, which is this program started once more.

pub mod args;
pub mod channel;
pub mod console;
pub mod handover;
pub mod keywords;
pub mod limits;
pub mod load;
pub mod master;
pub mod master_cli;
pub mod program;
pub mod signals;
pub mod single;
pub mod start;
pub mod systemd;
pub mod traffic;
pub mod worker;

use crate::config::outside::embedded::DEMO;
use crate::config::outside::{Recording, Sockets};
use args::{Args, Request};
use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::path::Path;

/// Does what the command line asks for, and gives the exit status.
pub fn run(words: impl IntoIterator<Item = OsString>) -> i32 {
    crate::state::clock::init();
    limits::remember();
    limits::take_small_pages();
    match args::parse(words) {
        Ok(Request::ShowVersion) => print(&crate::version::banner()),
        Ok(Request::ShowBuildOptions) => {
            print(&(crate::version::banner() + &crate::version::build_options()))
        }
        Ok(Request::Demo) => demo(),
        Ok(Request::Run(args)) => match worker::channel() {
            Some(Ok(channel)) => worker::run(&args, channel),
            Some(Err(_)) => 1,
            None => start(&args),
        },
        Err(refusal) => {
            refusal.alert.iter().for_each(console::alert);
            if refusal.usage { usage() } else { 1 }
        }
    }
}

/// Says how the program is called, and gives the exit status.
fn usage() -> i32 {
    print(&crate::version::banner());
    // Nobody can be told that stderr is closed.
    let _ = std::io::stderr().write_all(args::usage(&load::program()).as_bytes());
    1
}

/// Runs the control side of a process: one thread, on which nothing takes long.
fn on_runtime(main: impl Future<Output = i32>) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, main),
        Err(error) => {
            console::alert(format!("Cannot start: {error}."));
            1
        }
    }
}

fn print(text: &str) -> i32 {
    // Nobody can be told that stdout is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
    0
}

/// Runs the embedded configuration and says where to look.
fn demo() -> i32 {
    print(
        "Two web servers, v1 and v2, behind a balancer, all in this process:\n\n\
         \x20   http://127.0.0.1:8080/       answers v1 and v2 in turn\n\
         \x20   http://127.0.0.1:8404/stats  shows them; take one out with the form below the table\n\n\
         Ctrl-C ends it.\n\n",
    );
    start(&Args { files: vec![DEMO.into()], foreground: true, ..Args::default() })
}

fn start(args: &Args) -> i32 {
    args.warnings.iter().for_each(console::warning);
    if !load::enter_directory(args.directory.as_deref()) {
        return 1;
    }
    let mut outside = load::outside(args, Sockets::default());
    if args.quiet && !args.verbose {
        console::only_alerts();
    }
    let files = crate::config::source::expand(&args.files, &mut outside);
    if files.is_ok_and(|files| files.is_empty()) {
        return usage();
    }
    if args.show_configuration {
        return load::show(args, &mut outside);
    }
    if args.check {
        return load::check(args, &mut outside);
    }
    if let Some(path) = &args.sockets_from {
        outside = outside.with_received(received_sockets(path));
    }
    outside = outside.replacing(&args.old_pids);
    let mut recording = Recording::new(&mut outside);
    let loaded = load::run(args, &mut recording, None);
    let bundle = recording.into_bundle();
    let Ok(world) = loaded else {
        outside.give_up();
        return 1;
    };
    print(&keywords::listing(&args.show_keywords));
    let sockets = outside.keep();
    if args.master_worker || world.global.spec.master_worker {
        return master::run(args, world, bundle, sockets);
    }
    drop(bundle);
    single::run(args, world, sockets)
}

fn received_sockets(path: &Path) -> handover::Received {
    match handover::fetch(path) {
        Ok(sockets) => sockets,
        Err(error) => {
            let words = crate::sys::error_words(&error);
            console::warning(format!(
                "Failed to get the sockets of the old process at '{}': {words}",
                path.display()
            ));
            handover::Received::new()
        }
    }
}
