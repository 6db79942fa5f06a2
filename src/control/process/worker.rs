//! The worker: what its master has checked it loads again, gives up its rights, and serves
//! (management.txt 4, master-worker).
//!
//! In: bundles over the channel, signals. Out: `Ready` or `Failed` for each bundle, and the exit status. It cannot
//! make the master open or bind anything.

use super::args::Args;
use super::channel::{Channel, Frame, Kind};
use super::signals::Signals;
use super::traffic::Traffic;
use super::{limits, load, start};
use crate::config::outside::{Bundle, Replay, RunningSockets};
use crate::state::world::World;
use crate::sys;
use nix::libc::{SIGHUP, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The environment variable that makes a process a worker: the number of its end of the channel.
pub const CHANNEL: &str = "HAPROXY_WORKER_CHANNEL";

/// The channel, if this process was started as a worker.
pub fn channel() -> Option<io::Result<OwnedFd>> {
    let number = std::env::var(CHANNEL).ok()?;
    Some(match number.parse() {
        Ok(fd) => sys::inherited(fd),
        Err(_) => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    })
}

/// Serves until told to stop, or until the master is gone.
pub fn run(args: &Args, channel: OwnedFd) -> i32 {
    super::on_runtime(async move {
        let Ok(channel) = Channel::new(channel) else { return 1 };
        let first = match channel.receive().await {
            Ok(Some(frame)) if frame.kind == Kind::Load => frame,
            _ => return 1,
        };
        match begin(args, first) {
            Ok(worker) => worker.serve(channel).await,
            Err(reason) => {
                // If the master is gone there is nobody to tell.
                let _ = channel.send(Kind::Failed, reason.as_bytes(), &[]).await;
                1
            }
        }
    })
}

struct Worker<'a> {
    args: &'a Args,
    sockets: RunningSockets,
    traffic: Traffic,
}

fn begin(args: &Args, frame: Frame) -> Result<Worker<'_>, String> {
    let (world, sockets) = replay(args, frame, &RunningSockets::default(), None)?;
    if !limits::raise(&world, args) || !start::drop_rights(&world.global) {
        return Err("the worker cannot run as configured".to_owned());
    }
    let traffic = Traffic::start(world).map_err(|error| error.to_string())?;
    Ok(Worker { args, sockets, traffic })
}

fn replay(
    args: &Args,
    frame: Frame,
    running: &RunningSockets,
    previous: Option<&World>,
) -> Result<(World, RunningSockets), String> {
    let bundle = Bundle::decode(&frame.bytes, frame.descriptors);
    let mut replay = Replay::new(bundle.map_err(|error| error.to_string())?, running);
    let world = load::replay(args, &mut replay, previous)?;
    Ok((world, replay.into_running()))
}

impl Worker<'_> {
    async fn serve(mut self, channel: Channel) -> i32 {
        let wanted = [SIGHUP, SIGUSR2, SIGUSR1, SIGTTOU, SIGTTIN, SIGQUIT];
        let Ok(mut signals) = Signals::of(&wanted) else { return 1 };
        if channel.send(Kind::Ready, &[], &[]).await.is_err() {
            return 1;
        }
        let mut frames = follow(channel.clone());
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    SIGUSR1 => self.traffic.soft_stop(),
                    SIGTTOU => self.traffic.pause(),
                    SIGTTIN => self.traffic.resume(),
                    SIGQUIT => self.traffic.show_pools(),
                    _ => {}
                },
                frame = frames.recv() => match frame {
                    Some(frame) => self.obey(frame, &channel).await,
                    // A worker without a master could never be told anything again.
                    None => return 1,
                },
                () = self.traffic.ended() => return 0,
            }
        }
    }

    async fn obey(&mut self, frame: Frame, channel: &Channel) {
        let answer = match frame.kind {
            Kind::Load => self.reload(frame),
            Kind::Connection => {
                self.traffic.serve_runtime_sockets(frame.descriptors);
                return;
            }
            Kind::Ready | Kind::Failed => return,
        };
        // If the master is gone, the end of the channel says so.
        let _ = match answer {
            Ok(()) => channel.send(Kind::Ready, &[], &[]).await,
            Err(reason) => channel.send(Kind::Failed, reason.as_bytes(), &[]).await,
        };
    }

    /// Replaces what runs. If anything is wrong, nothing changes.
    fn reload(&mut self, frame: Frame) -> Result<(), String> {
        let previous: Arc<World> = self.traffic.world();
        let (world, sockets) = replay(self.args, frame, &self.sockets, Some(&previous))?;
        limits::raise(&world, self.args);
        self.traffic.swap(world);
        self.sockets = sockets;
        Ok(())
    }
}

/// Frames as they come; the channel's end ends them.
fn follow(channel: Channel) -> mpsc::UnboundedReceiver<Frame> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Ok(Some(frame)) = channel.receive().await {
            if sender.send(frame).is_err() {
                return;
            }
        }
    });
    receiver
}
