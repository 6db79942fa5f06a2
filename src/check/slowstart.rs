//! A server that came back is given more and more requests (manual 5.2 "slowstart"). In come the seconds
//! since then, out come parts of its weight and of its `maxconn`. No clock.

/// How long a server ramps up, and since when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    /// Seconds since it came back.
    pub elapsed: u64,
    /// `slowstart`, in seconds; above 0.
    pub length: u64,
}

impl Ramp {
    /// Whether the ramp is over.
    pub fn is_over(self) -> bool {
        self.elapsed >= self.length
    }

    /// How many of `scale` parts of its weight it has now: from 1 to all.
    pub fn parts(self, scale: u32) -> u32 {
        if self.is_over() {
            return scale;
        }
        let parts = (u64::from(scale) * self.elapsed + self.length) / self.length;
        u32::try_from(parts).unwrap_or(scale).min(scale)
    }

    /// Its share of a limit: at least 1.
    pub fn limit(self, most: u32) -> u32 {
        if self.is_over() {
            return most;
        }
        let percent = 100 * self.elapsed / self.length;
        u32::try_from(u64::from(most) * percent / 100).unwrap_or(most).max(1)
    }

    /// Its share of its weight in percent, as the statistics show it.
    pub fn percent(self, scale: u32) -> u32 {
        (100 * self.parts(scale)).div_ceil(scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_grows_second_by_second() {
        let at = |elapsed| Ramp { elapsed, length: 8 };
        let parts: Vec<u32> = (0..=9).map(|second| at(second).parts(16)).collect();
        assert_eq!(parts, [1, 3, 5, 7, 9, 11, 13, 15, 16, 16]);
        assert_eq!((at(0).percent(16), at(4).percent(16), at(8).percent(16)), (7, 57, 100));
    }

    #[test]
    fn a_limit_grows_too() {
        let at = |elapsed| Ramp { elapsed, length: 10 };
        assert_eq!([0, 1, 5, 10].map(|second| at(second).limit(50)), [1, 5, 25, 50]);
        assert!(at(10).is_over() && !at(9).is_over());
    }
}
