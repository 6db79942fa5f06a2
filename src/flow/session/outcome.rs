//! How a stream ended, in one value: HAProxy's two termination letters (manual 8.5) and whether a
//! retry makes sense. One place turns it into status, page, log letters and counters.

/// Who ended it: the first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Who {
    /// `-`: nobody, it completed.
    #[default]
    Nobody,
    /// `C`: the client aborted.
    Client,
    /// `S`: the server aborted or refused.
    Server,
    /// `P`: the proxy refused (rules, limits, protocol errors).
    Proxy,
    /// `L`: the proxy answered itself.
    Local,
    /// `R`: a resource ran out.
    Resource,
    /// `I`: an internal error.
    Internal,
    /// `D`: the server went down and its sessions were closed.
    Down,
    /// `U`: a preferred server came up and the backup's sessions were closed.
    Up,
    /// `K`: closed by an operator.
    Killed,
    /// `c`: the client's timeout.
    ClientTimeout,
    /// `s`: the server's timeout.
    ServerTimeout,
}

/// At which point: the second letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// `-`: at the end.
    #[default]
    End,
    /// `R`: waiting for a request.
    Request,
    /// `Q`: in the queue.
    Queue,
    /// `C`: connecting to the server.
    Connect,
    /// `H`: waiting for the response's head.
    Headers,
    /// `D`: moving data.
    Data,
    /// `L`: sending the last data to the client.
    Last,
    /// `T`: tarpitted.
    Tarpit,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Who ended it.
    pub who: Who,
    /// At which point.
    pub when: When,
}

impl Outcome {
    /// An end with its two letters.
    pub const fn new(who: Who, when: When) -> Outcome {
        Outcome { who, when }
    }

    /// The two letters.
    pub fn letters(self) -> [u8; 2] {
        let who = match self.who {
            Who::Nobody => b'-',
            Who::Client => b'C',
            Who::Server => b'S',
            Who::Proxy => b'P',
            Who::Local => b'L',
            Who::Resource => b'R',
            Who::Internal => b'I',
            Who::Down => b'D',
            Who::Up => b'U',
            Who::Killed => b'K',
            Who::ClientTimeout => b'c',
            Who::ServerTimeout => b's',
        };
        let when = match self.when {
            When::End => b'-',
            When::Request => b'R',
            When::Queue => b'Q',
            When::Connect => b'C',
            When::Headers => b'H',
            When::Data => b'D',
            When::Last => b'L',
            When::Tarpit => b'T',
        };
        [who, when]
    }

    /// Whether nothing went wrong so far.
    pub fn is_clean(self) -> bool {
        self.who == Who::Nobody
    }
}
