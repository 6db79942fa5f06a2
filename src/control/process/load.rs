//! A configuration is loaded for the process: checked (`-c`), started or reloaded.
//!
//! In: the command line and the world outside. Out: a `World` ready to run, with everything that is wrong
//! said on the terminal. Manual: management.txt 3.

use super::args::Args;
use super::{console, keywords, limits};
use crate::config::compile::Purpose;
use crate::config::diagnostic::{Diagnostics, Level};
use crate::config::outside::{Outside, RealOutside, Sockets};
use crate::config::{self, Loaded, understood};
use crate::state::world::World;
use std::io::Write;
use std::path::Path;

/// The world outside as the command line presents it, beginning with these sockets.
pub fn outside(args: &Args, sockets: Sockets) -> RealOutside {
    let outside = RealOutside::new(sockets).without_reuse_port(args.no_reuse_port);
    match &args.local_peer {
        Some(peer) => outside.with_variable("HAPROXY_LOCALPEER", peer),
        None => outside,
    }
}

/// What `-c` gives: the exit status.
pub fn check(args: &Args, outside: &mut dyn Outside) -> i32 {
    let Ok(loaded) = load(args, outside, None, false) else { return 1 };
    let print = |text: &str| {
        if !args.quiet || args.verbose {
            // Nobody can be told that stdout is closed.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    };
    // Nobody can be told that stdout is closed.
    let _ = write!(std::io::stdout().lock(), "{}", keywords::listing(&args.show_keywords));
    if loaded.warned {
        print("Warnings were found.");
    }
    if !listens(&loaded.world) {
        print("Configuration file has no error but will not start (no listener) => exit(2).");
        return 2;
    }
    print("Configuration file is valid");
    // The process ends here, and takes its memory with it: of a large configuration that is quicker.
    std::mem::forget(loaded);
    0
}

/// What `-dC` gives: the exit status. The configuration goes to stdout as it was understood, what is wrong
/// with it to stderr.
pub fn show(args: &Args, outside: &mut dyn Outside) -> i32 {
    let loaded = config::load(&args.files, outside, None, purpose(args, false));
    console::show(&loaded.diagnostics, &loaded.sources);
    let mut again = Diagnostics::default();
    let understood = understood::understand(&loaded.sources, outside, &mut again);
    // Nobody can be told that stdout is closed.
    let _ = write!(std::io::stdout().lock(), "{understood}");
    i32::from(loaded.world.is_none())
}

/// A configuration without mistakes.
pub struct Good {
    pub world: World,
    /// Whether there was a `[WARNING]`.
    pub warned: bool,
}

/// Loads a configuration that is to run: its sockets listen.
///
/// # Errors
/// Something refused it, which has been said; the alerts, one a line.
pub fn run(
    args: &Args,
    outside: &mut dyn Outside,
    previous: Option<&World>,
) -> Result<World, String> {
    let mut good = load(args, outside, previous, true)?;
    if !listens(&good.world) {
        return Err(refuse(format!(
            "[{}.main()] No enabled listener found (check for 'bind' directives) ! Exiting.",
            program()
        )));
    }
    limits::fill_in(&mut good.world, args);
    Ok(good.world)
}

/// Loads what another process has loaded before: its messages have been shown there, so that the first
/// alert is an error of this program.
pub fn replay(
    args: &Args,
    outside: &mut dyn Outside,
    previous: Option<&World>,
) -> Result<World, String> {
    let loaded = config::load(&args.files, outside, previous, purpose(args, true));
    let mut world = loaded.world.ok_or_else(|| alerts(&loaded.diagnostics))?;
    let (diagnostics, sources) = (&loaded.diagnostics, &loaded.sources);
    world.startup_logs = console::startup_logs(diagnostics, sources, &world.notices);
    limits::fill_in(&mut world, args);
    Ok(world)
}

/// The program's name, as messages have it.
pub fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "haproxy".to_owned())
}

fn load(
    args: &Args,
    outside: &mut dyn Outside,
    previous: Option<&World>,
    bind: bool,
) -> Result<Good, String> {
    let Loaded { world, diagnostics, sources } =
        config::load(&args.files, outside, previous, purpose(args, bind));
    let quiet = world.as_ref().is_some_and(|world| world.global.spec.quiet) && !args.verbose;
    if !quiet {
        console::show(&diagnostics, &sources);
    }
    let warned = diagnostics.count(Level::Warning) > 0 || !args.warnings.is_empty();
    let mut world = world.ok_or_else(|| alerts(&diagnostics))?;
    if warned && (args.zero_warning || world.global.spec.zero_warning) {
        return Err(refuse("Some warnings were found and 'zero-warning' is set. Aborting.".into()));
    }
    if bind {
        world.notices.iter().for_each(console::notice);
        world.startup_logs = console::startup_logs(&diagnostics, &sources, &world.notices);
    }
    Ok(Good { world, warned })
}

fn refuse(reason: String) -> String {
    console::alert(&reason);
    reason
}

fn alerts(diagnostics: &Diagnostics) -> String {
    let alerts = diagnostics.list.iter().filter(|d| d.level == Level::Alert);
    alerts.map(|alert| alert.text.as_str()).collect::<Vec<_>>().join("\n")
}

fn purpose(args: &Args, bind: bool) -> Purpose {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Purpose { bind, cpus, tolerates_names: args.tolerate_resolution_failure }
}

fn listens(world: &World) -> bool {
    !world.cli.sockets.is_empty()
        || world.proxies.iter().any(|proxy| !proxy.listeners().is_empty())
        || world.forwarders.iter().any(|forwarder| forwarder.listens())
}

/// Goes to the directory of `-C`.
pub fn enter_directory(directory: Option<&Path>) -> bool {
    let Some(directory) = directory else { return true };
    match std::env::set_current_dir(directory) {
        Ok(()) => true,
        Err(error) => {
            let words = crate::sys::error_words(&error);
            console::alert(format!(
                "Could not change to directory {} : {words}",
                directory.display()
            ));
            false
        }
    }
}
