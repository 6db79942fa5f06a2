//! One process without a master: it starts, serves, reloads in place and stops (management.txt 4).
//!
//! In: the command line. Out: the exit status; `SIGTERM` and `SIGINT` end the process by themselves.

use super::args::Args;
use super::signals::Signals;
use super::traffic::Traffic;
use super::{console, limits, load, start};
use crate::config::outside::Sockets;
use crate::state::world::World;
use nix::libc::{SIGHUP, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use std::sync::Arc;

/// Serves with a configuration that has been loaded, until told to stop.
pub fn run(args: &Args, world: World, sockets: Sockets) -> i32 {
    let Ok(pid_file) = start::open_pid_file(args, &world.global) else { return 1 };
    let background = match start::go_to_background(start::is_daemon(args, &world.global)) {
        Ok(background) => background,
        Err(error) => {
            console::alert(format!("[{}.main()] Cannot fork: {error}.", load::program()));
            return 1;
        }
    };
    start::write_pid(pid_file);
    let quiet = (args.quiet || world.global.spec.quiet) && !args.verbose;
    if !limits::raise(&world, args) || !start::drop_rights(&world.global) {
        return 1;
    }
    super::on_runtime(async move {
        let traffic = match Traffic::start(world) {
            Ok(traffic) => traffic,
            Err(error) => {
                console::alert(format!("Cannot start: {error}."));
                return 1;
            }
        };
        start::tell_old(&args.old_pids, start::farewell(args));
        background.up();
        if quiet {
            console::be_quiet();
        }
        Single { args, sockets, traffic }.serve().await
    })
}

struct Single<'a> {
    args: &'a Args,
    sockets: Sockets,
    traffic: Traffic,
}

impl Single<'_> {
    async fn serve(mut self) -> i32 {
        let wanted = [SIGHUP, SIGUSR2, SIGUSR1, SIGTTOU, SIGTTIN, SIGQUIT];
        let Ok(mut signals) = Signals::of(&wanted) else { return 1 };
        loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                () = self.traffic.ended() => return 0,
            };
            match signal {
                SIGHUP | SIGUSR2 => self.reload(),
                SIGUSR1 => self.traffic.soft_stop(),
                SIGTTOU => self.traffic.pause(),
                SIGTTIN => self.traffic.resume(),
                SIGQUIT => self.traffic.show_pools(),
                _ => {}
            }
        }
    }

    /// Loads the configuration again. If anything is wrong with it, nothing changes.
    fn reload(&mut self) {
        let world = self.traffic.world();
        if start::has_dropped_rights(&world.global) {
            console::alert(
                "Reload impossible: this process has given up the rights to read and bind again \
                 ('user', 'group' or 'chroot'). Run it with -W to reload.",
            );
            return;
        }
        let mut outside = load::outside(self.args, std::mem::take(&mut self.sockets));
        match load::run(self.args, &mut outside, Some(&world)) {
            Ok(new) => {
                self.sockets = outside.keep();
                self.adopt(&world, new);
            }
            Err(_) => {
                self.sockets = outside.give_up();
                console::alert("Reload refused: the running configuration serves on.");
            }
        }
    }

    fn adopt(&mut self, old: &Arc<World>, new: World) {
        if old.global.threads != new.global.threads {
            console::warning("'nbthread' has changed: it takes effect with the next start.");
        }
        if !limits::raise(&new, self.args) {
            console::warning("The limits of the process stay as they are.");
        }
        self.traffic.swap(new);
        console::notice("Configuration reloaded in place.");
    }
}
