//! What a stick table stores for each entry (manual 4.2 "stick-table", "store <data_type>"): plain
//! numbers, and rates over a period.

/// A data type, in the order in which entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Data {
    /// `server_id`: the server a client sticks to.
    ServerId,
    /// `gpt0`: a tag.
    Gpt0,
    /// `gpc0`: a counter for anything.
    Gpc0,
    /// `gpc0_rate`: how fast `gpc0` grows.
    Gpc0Rate,
    /// `conn_cnt`: connections so far.
    ConnCnt,
    /// `conn_rate`: connections in a period.
    ConnRate,
    /// `conn_cur`: connections now.
    ConnCur,
    /// `sess_cnt`: accepted sessions so far.
    SessCnt,
    /// `sess_rate`: accepted sessions in a period.
    SessRate,
    /// `http_req_cnt`: requests so far.
    HttpReqCnt,
    /// `http_req_rate`: requests in a period.
    HttpReqRate,
    /// `http_err_cnt`: errors of the client so far.
    HttpErrCnt,
    /// `http_err_rate`: errors of the client in a period.
    HttpErrRate,
    /// `bytes_in_cnt`: bytes from the client so far.
    BytesInCnt,
    /// `bytes_in_rate`: bytes from the client in a period.
    BytesInRate,
    /// `bytes_out_cnt`: bytes to the client so far.
    BytesOutCnt,
    /// `bytes_out_rate`: bytes to the client in a period.
    BytesOutRate,
    /// `gpc1`: another counter for anything.
    Gpc1,
    /// `gpc1_rate`: how fast `gpc1` grows.
    Gpc1Rate,
    /// `server_name`: the server a client sticks to, by name.
    ServerName,
}

impl Data {
    /// All types with their names, in their order.
    pub const NAMES: &[(&str, Data)] = &[
        ("server_id", Data::ServerId),
        ("gpt0", Data::Gpt0),
        ("gpc0", Data::Gpc0),
        ("gpc0_rate", Data::Gpc0Rate),
        ("conn_cnt", Data::ConnCnt),
        ("conn_rate", Data::ConnRate),
        ("conn_cur", Data::ConnCur),
        ("sess_cnt", Data::SessCnt),
        ("sess_rate", Data::SessRate),
        ("http_req_cnt", Data::HttpReqCnt),
        ("http_req_rate", Data::HttpReqRate),
        ("http_err_cnt", Data::HttpErrCnt),
        ("http_err_rate", Data::HttpErrRate),
        ("bytes_in_cnt", Data::BytesInCnt),
        ("bytes_in_rate", Data::BytesInRate),
        ("bytes_out_cnt", Data::BytesOutCnt),
        ("bytes_out_rate", Data::BytesOutRate),
        ("gpc1", Data::Gpc1),
        ("gpc1_rate", Data::Gpc1Rate),
        ("server_name", Data::ServerName),
    ];

    /// The type of this name.
    pub fn of_name(name: &str) -> Option<Data> {
        Data::NAMES.iter().find(|(n, _)| *n == name).map(|(_, data)| *data)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Data::NAMES.get(self as usize).map_or("", |(name, _)| name)
    }

    /// Whether it is measured over a period, which stands in brackets after the name.
    pub fn is_rate(self) -> bool {
        self.name().ends_with("_rate")
    }

    /// An empty datum of this type.
    pub fn empty(self) -> Datum {
        match self {
            Data::ServerName => Datum::Name(None),
            data if data.is_rate() => Datum::Rate(PeriodRate::default()),
            _ => Datum::Count(0),
        }
    }
}

/// One stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// A number.
    Count(u64),
    /// Events in a period.
    Rate(PeriodRate),
    /// A name.
    Name(Option<Box<str>>),
}

/// Counts events over a sliding period: the present period and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodRate {
    /// When the present period began, in milliseconds.
    began: u64,
    present: u64,
    before: u64,
}

impl PeriodRate {
    /// Counts `n` events at `now` (milliseconds).
    pub fn add(&mut self, n: u64, period: u64, now: u64) {
        let elapsed = now.saturating_sub(self.began);
        if elapsed < period {
            self.present += n;
            return;
        }
        let adjacent = elapsed < 2 * period;
        self.before = if adjacent { self.present } else { 0 };
        self.began = if adjacent { self.began + period } else { now };
        self.present = n;
    }

    /// Events in the period before `now`, those of the last full period weighed by how much of it is
    /// still within.
    pub fn get(&self, period: u64, now: u64) -> u64 {
        let elapsed = now.saturating_sub(self.began);
        let (before, present, elapsed) = match elapsed {
            e if e < period => (self.before, self.present, e),
            e if e < 2 * period => (self.present, 0, e - period),
            _ => return 0,
        };
        if before <= 1 && present == 0 {
            return before;
        }
        let weighed = u128::from(before) * u128::from(period - elapsed) / u128::from(period.max(1));
        present + u64::try_from(weighed).unwrap_or(u64::MAX)
    }

    /// Replaces what was counted (`set table`).
    pub fn set(&mut self, value: u64, now: u64) {
        *self = PeriodRate { began: now, present: value, before: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_listed_in_their_order() {
        for (index, (name, data)) in Data::NAMES.iter().enumerate() {
            assert_eq!(*data as usize, index);
            assert_eq!(data.name(), *name);
        }
    }

    #[test]
    fn a_rate_slides_over_its_period() {
        let mut rate = PeriodRate::default();
        for _ in 0..10 {
            rate.add(1, 1_000, 50_000);
        }
        assert_eq!(rate.get(1_000, 50_999), 10);
        assert_eq!(rate.get(1_000, 51_500), 5);
        assert_eq!(rate.get(1_000, 52_000), 0);
        rate.add(1, 1_000, 51_250);
        assert_eq!(rate.get(1_000, 51_500), 6);
    }

    #[test]
    fn a_single_event_does_not_fade() {
        let mut rate = PeriodRate::default();
        rate.add(1, 1_000, 5_000);
        assert_eq!(rate.get(1_000, 6_900), 1);
        assert_eq!(rate.get(1_000, 7_000), 0);
    }
}
