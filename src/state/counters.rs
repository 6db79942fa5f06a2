//! Numbers that outlive a reload: in come events from every thread, out come totals, peaks and
//! rates for the statistics (management.txt 9.1).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::flow::listener::rate::RateLimits;

/// A number that many threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// The present number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Sets the number.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// Raises the number to `n` if it is lower.
    pub fn raise(&self, n: u64) {
        if self.get() < n {
            self.0.fetch_max(n, Relaxed);
        }
    }
}

/// A number that goes up and down, with its peak.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicU32,
    peak: AtomicU32,
}

impl Gauge {
    /// One more; gives the new number.
    pub fn enter(&self) -> u32 {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        if self.peak.load(Relaxed) < now {
            self.peak.fetch_max(now, Relaxed);
        }
        now
    }

    /// One more unless that would exceed `limit`; says whether it was possible.
    pub fn enter_below(&self, limit: u32) -> bool {
        let entered =
            self.now.fetch_update(Relaxed, Relaxed, |now| (now < limit).then_some(now + 1));
        if let Ok(before) = entered {
            self.peak.fetch_max(before + 1, Relaxed);
        }
        entered.is_ok()
    }

    /// One less; gives the new number.
    pub fn leave(&self) -> u32 {
        self.now.fetch_sub(1, Relaxed).saturating_sub(1)
    }

    /// The present number.
    pub fn get(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// The highest number so far.
    pub fn peak(&self) -> u32 {
        self.peak.load(Relaxed)
    }

    /// Forgets the peak (`clear counters`); as in HAProxy, what is there now does not count as one.
    pub fn reset_peak(&self) {
        self.peak.store(0, Relaxed);
    }
}

/// Events a second, over a sliding second, with its peak.
#[derive(Debug, Default)]
pub struct Rate {
    /// Second of the current period in the upper half, its count in the lower one.
    current: AtomicU64,
    previous: AtomicU32,
    peak: AtomicU32,
}

impl Rate {
    /// Counts an event at `now_ms` (milliseconds on the process's clock); gives the current rate.
    pub fn event(&self, now_ms: u64) -> u32 {
        self.add(now_ms, 1)
    }

    /// Counts several events at once.
    pub fn add(&self, now_ms: u64, events: u32) -> u32 {
        let second = now_ms / 1000;
        loop {
            let packed = self.current.load(Relaxed);
            let (at, count) = (packed >> 32, packed as u32);
            if at == second & 0xffff_ffff {
                self.current.fetch_add(events.into(), Relaxed);
                break;
            }
            let fresh = (second << 32) | u64::from(events);
            if self.current.compare_exchange(packed, fresh, Relaxed, Relaxed).is_ok() {
                let adjacent = at + 1 == second & 0xffff_ffff;
                self.previous.store(if adjacent { count } else { 0 }, Relaxed);
                break;
            }
        }
        let rate = self.get(now_ms);
        if self.peak.load(Relaxed) < rate {
            self.peak.fetch_max(rate, Relaxed);
        }
        rate
    }

    /// Events in the second before `now_ms`.
    pub fn get(&self, now_ms: u64) -> u32 {
        let second = (now_ms / 1000) & 0xffff_ffff;
        let packed = self.current.load(Relaxed);
        let (at, count) = (packed >> 32, packed as u32);
        let left = 1000 - now_ms % 1000;
        if at == second {
            let previous = u64::from(self.previous.load(Relaxed));
            return count + (previous * left / 1000) as u32;
        }
        if at + 1 == second { (u64::from(count) * left / 1000) as u32 } else { 0 }
    }

    /// The highest rate so far.
    pub fn peak(&self) -> u32 {
        self.peak.load(Relaxed)
    }

    /// Forgets the peak (`clear counters`).
    pub fn reset_peak(&self) {
        self.peak.store(0, Relaxed);
    }
}

/// Mean of the last 512 values, as HAProxy's `qtime`, `ctime`, `rtime`, `ttime`, with the maximum.
#[derive(Debug, Default)]
pub struct TimeMean {
    sum: AtomicU64,
    count: AtomicU32,
    max: AtomicU32,
}

/// Number of samples a mean covers.
const WINDOW: u32 = 512;

impl TimeMean {
    /// Takes a time in milliseconds into account.
    pub fn record(&self, ms: u32) {
        let count = self.count.load(Relaxed);
        if count < WINDOW {
            self.count.fetch_add(1, Relaxed);
            self.sum.fetch_add(u64::from(ms), Relaxed);
        } else {
            let sum = self.sum.load(Relaxed);
            let next = sum - sum.div_ceil(u64::from(WINDOW)) + u64::from(ms);
            self.sum.store(next, Relaxed);
        }
        if self.max.load(Relaxed) < ms {
            self.max.fetch_max(ms, Relaxed);
        }
    }

    /// The mean in milliseconds.
    pub fn get(&self) -> u32 {
        let count = u64::from(self.count.load(Relaxed).max(1));
        self.sum.load(Relaxed).div_ceil(count) as u32
    }

    /// The longest time, in milliseconds.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// Forgets all values.
    pub fn reset(&self) {
        self.sum.store(0, Relaxed);
        self.count.store(0, Relaxed);
        self.max.store(0, Relaxed);
    }

    /// Forgets the maximum.
    pub fn reset_max(&self) {
        self.max.store(0, Relaxed);
    }
}

/// What is counted for a frontend, a listener, a backend or a server; each uses what it has.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions (HTTP: streams) at this moment.
    pub sessions: Gauge,
    /// Sessions since start.
    pub sessions_total: Counter,
    /// New sessions a second.
    pub session_rate: Rate,
    /// Connections since start.
    pub connections_total: Counter,
    /// New connections a second.
    pub connection_rate: Rate,
    /// HTTP requests since start.
    pub requests_total: Counter,
    /// HTTP requests a second.
    pub request_rate: Rate,
    /// Bytes from clients.
    pub bytes_in: Counter,
    /// Bytes to clients.
    pub bytes_out: Counter,
    /// Requests refused by rules.
    pub denied_requests: Counter,
    /// Responses refused by rules.
    pub denied_responses: Counter,
    /// Connections refused by `tcp-request connection` rules.
    pub denied_connections: Counter,
    /// Sessions refused by `tcp-request session` rules.
    pub denied_sessions: Counter,
    /// Requests that could not be parsed or did not arrive.
    pub failed_requests: Counter,
    /// Connections to servers that failed.
    pub failed_connections: Counter,
    /// Responses that could not be parsed or did not arrive.
    pub failed_responses: Counter,
    /// Header edits that failed.
    pub failed_rewrites: Counter,
    /// Our own faults.
    pub internal_errors: Counter,
    /// Connection attempts repeated.
    pub retries: Counter,
    /// Requests sent to another server than first chosen.
    pub redispatches: Counter,
    /// Times chosen by the balance algorithm.
    pub balanced: Counter,
    /// Times that traffic showed enough errors (`observe`).
    pub failed_analyses: Counter,
    /// Transfers aborted by the client.
    pub client_aborts: Counter,
    /// Transfers aborted by the server.
    pub server_aborts: Counter,
    /// Requests answered by us (stats, redirects, returns).
    pub intercepted: Counter,
    /// Attempts to connect to servers.
    pub connects: Counter,
    /// Requests sent on a reused connection.
    pub reuses: Counter,
    /// Responses by class: other, 1xx to 5xx.
    pub responses: [Counter; 6],
    /// Requests waiting in the queue at this moment.
    pub queued: Gauge,
    /// Second of the last session on the process's clock, plus one; 0 for none.
    pub last_session: Counter,
    /// Time in the queue.
    pub queue_time: TimeMean,
    /// Time to connect.
    pub connect_time: TimeMean,
    /// Time to the response's head.
    pub response_time: TimeMean,
    /// Time of the whole session.
    pub total_time: TimeMean,
    /// Bytes given to the compressor.
    pub compression_in: Counter,
    /// Bytes that came out of the compressor.
    pub compression_out: Counter,
    /// Bytes that went past the compressor for want of resources.
    pub compression_bypassed: Counter,
    /// Responses that were compressed.
    pub compressed_responses: Counter,
    /// Requests looked up in the cache.
    pub cache_lookups: Counter,
    /// Requests answered from the cache.
    pub cache_hits: Counter,
    /// Failures that traffic showed (`observe`).
    pub analysis_failures: Counter,
    /// HTTP/2 on this side.
    pub h2: H2Counters,
}

/// What is counted of HTTP/2 connections.
#[derive(Debug, Default)]
pub struct H2Counters {
    /// HEADERS frames received.
    pub headers: Counter,
    /// DATA frames received.
    pub data: Counter,
    /// SETTINGS frames received.
    pub settings: Counter,
    /// RST_STREAM frames received.
    pub resets: Counter,
    /// GOAWAY frames received.
    pub goaways: Counter,
    /// Errors that cost a connection.
    pub connection_errors: Counter,
    /// Errors that cost a stream.
    pub stream_errors: Counter,
    /// RST_STREAM frames sent.
    pub resets_sent: Counter,
    /// GOAWAY frames sent.
    pub goaways_sent: Counter,
    /// Connections at this moment.
    pub connections: Gauge,
    /// Streams to servers at this moment.
    pub backend_streams: Gauge,
    /// Connections since start.
    pub connections_total: Counter,
    /// Streams to servers since start.
    pub backend_streams_total: Counter,
}

impl Counters {
    /// Counts a response of this status.
    pub fn response(&self, status: u16) {
        let class = usize::from(status / 100);
        if let Some(counter) = self.responses.get(if class <= 5 { class } else { 0 }) {
            counter.inc();
        }
    }

    /// Responses of a class: 1 to 5, or 0 for others.
    pub fn responses_of(&self, class: usize) -> u64 {
        self.responses.get(class).map_or(0, Counter::get)
    }

    /// Forgets the totals and means (`clear counters all`); what is going on stays counted.
    pub fn reset_totals(&self) {
        let totals = [
            &self.sessions_total,
            &self.connections_total,
            &self.requests_total,
            &self.bytes_in,
            &self.bytes_out,
            &self.denied_requests,
            &self.denied_responses,
            &self.denied_connections,
            &self.denied_sessions,
            &self.failed_requests,
            &self.failed_connections,
            &self.failed_responses,
            &self.failed_rewrites,
            &self.internal_errors,
            &self.retries,
            &self.redispatches,
            &self.balanced,
            &self.failed_analyses,
            &self.client_aborts,
            &self.server_aborts,
            &self.intercepted,
            &self.connects,
            &self.reuses,
            &self.last_session,
        ];
        totals.into_iter().chain(&self.responses).for_each(|counter| counter.set(0));
        for mean in [&self.queue_time, &self.connect_time, &self.response_time, &self.total_time] {
            mean.reset();
        }
    }

    /// Forgets the peaks (`clear counters`).
    pub fn reset_peaks(&self) {
        self.sessions.reset_peak();
        self.queued.reset_peak();
        for rate in [&self.session_rate, &self.connection_rate, &self.request_rate] {
            rate.reset_peak();
        }
        for mean in [&self.queue_time, &self.connect_time, &self.response_time, &self.total_time] {
            mean.reset_max();
        }
    }
}

/// What is counted for the whole process.
#[derive(Debug, Default)]
pub struct ProcessCounters {
    /// `set maxconn global`: overrules the configured limit; 0 for not set.
    pub maxconn: AtomicU32,
    /// `maxconnrate`, `maxsessrate`
    pub rate_limits: RateLimits,
    /// Client connections at this moment.
    pub connections: Gauge,
    /// Client connections since start.
    pub connections_total: Counter,
    /// Requests since start.
    pub requests_total: Counter,
    /// New connections a second.
    pub connection_rate: Rate,
    /// New sessions a second.
    pub session_rate: Rate,
    /// Bytes sent to clients.
    pub bytes_out: Counter,
    /// Bytes sent to clients a second, in units of 32.
    pub output_rate: Rate,
    /// Bytes given to compressors a second.
    pub compression_in: Rate,
    /// Bytes that came out of them a second.
    pub compression_out: Rate,
    /// Bytes of memory that compressors at work have.
    pub compression_memory: AtomicU64,
    /// Messages that `log-forward` sections have received.
    pub received_logs: Counter,
    /// Log lines that could not be sent.
    pub dropped_logs: Counter,
    /// Names of `do-resolve` that cannot be the name of a host.
    pub failed_resolutions: Counter,
    /// Tasks that panicked, with the place of the last one.
    pub panics: Counter,
    /// Place and message of the last panic.
    pub last_panic: Mutex<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_slides_over_one_second() {
        let rate = Rate::default();
        for _ in 0..10 {
            rate.event(5_000);
        }
        assert_eq!(rate.get(5_999), 10);
        assert_eq!(rate.get(6_500), 5);
        assert_eq!(rate.get(7_000), 0);
        assert_eq!(rate.event(6_500), 6);
        assert_eq!(rate.peak(), 10);
    }

    #[test]
    fn a_gauge_respects_its_limit() {
        let gauge = Gauge::default();
        assert!(gauge.enter_below(2) && gauge.enter_below(2));
        assert!(!gauge.enter_below(2));
        gauge.leave();
        assert!(gauge.enter_below(2));
        assert_eq!((gauge.get(), gauge.peak()), (2, 2));
    }
}
