//! Names are resolved while the process runs (manual 5.3). `section` is what is written and the counters,
//! `message` the bytes on the wire, `resolution` decides what to ask and what an answer means, `run` has
//! the sockets and the clock, `servers` gives the servers of the running configuration what was found.

pub mod message;
pub mod resolution;
pub mod run;
pub mod section;
pub mod servers;

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::state::clock;
use crate::state::server_status::ServerStatus;
use message::Question;
use resolution::{Choice, Preference, Resolutions};
use section::{Nameserver, ResolversSpec};

/// A `resolvers` section that runs. It outlives a reload that leaves its lines as they were.
#[derive(Debug)]
pub struct Resolvers {
    /// What was written.
    pub spec: ResolversSpec,
    /// The name servers, with what they have answered.
    pub nameservers: Vec<Nameserver>,
    /// The names that somebody wants to know.
    resolutions: Mutex<Resolutions<Requester>>,
    /// Wakes the section's task: a name is new.
    wake: Notify,
}

/// Who wants to know a name.
#[derive(Debug)]
enum Requester {
    /// A server, for its address.
    Server(Spot),
    /// The servers of a backend that share a service's name, by one of them.
    Servers(Spot),
    /// A rule, which waits.
    Rule { preference: Preference, answer: oneshot::Sender<Option<IpAddr>> },
}

/// Where a server stands in the running configuration.
#[derive(Debug, Clone)]
struct Spot {
    proxy: usize,
    server: usize,
    status: Arc<ServerStatus>,
}

/// What a rule gets that asks for a name.
#[derive(Debug)]
pub enum Lookup {
    /// It is known already.
    Known(Option<IpAddr>),
    /// It is being asked for. Nothing comes when the section ends.
    Asked(oneshot::Receiver<Option<IpAddr>>),
}

impl Resolvers {
    /// A section that has asked nothing yet.
    pub fn new(spec: ResolversSpec) -> Resolvers {
        Resolvers {
            nameservers: spec.nameservers.iter().map(Nameserver::new).collect(),
            resolutions: Mutex::new(Resolutions::new(spec.settings)),
            wake: Notify::new(),
            spec,
        }
    }

    /// Asks for the address of a host: an answer that others have got and that is fresh enough serves too.
    pub fn look_up(&self, question: &Question, preference: &Preference) -> Lookup {
        let now = clock::now_ms();
        let mut resolutions = self.resolutions.lock();
        if let Some(known) = resolutions.find(question)
            && known.is_fresh(self.spec.settings.hold.valid, now)
        {
            return Lookup::Known(known.choose(preference, None, |_| false).address());
        }
        let (answer, receiver) = oneshot::channel();
        let preference = preference.clone();
        resolutions.link(question, Requester::Rule { preference, answer }, now);
        drop(resolutions);
        self.wake.notify_one();
        Lookup::Asked(receiver)
    }
}

impl Choice {
    /// The address that was chosen anew.
    fn address(self) -> Option<IpAddr> {
        if let Choice::Take(ip) = self { Some(ip) } else { None }
    }
}
