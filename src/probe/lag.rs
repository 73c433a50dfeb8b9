//! How far slots start behind their time: a histogram of the prober's own lag.

use crate::model::history::Lag;

/// The width of a bucket in microseconds: well below what a timer of the system is good for.
const WIDTH: u64 = 50;
/// Buckets: up to 200 ms, twice the lag at which a load no longer keeps its schedule. What is longer is counted and has its largest on record.
const BUCKETS: usize = 4_000;

/// Counts lags.
#[derive(Clone, Debug)]
pub(super) struct Lags {
    counts: Vec<u32>,
    total: u64,
    max: u64,
}

impl Default for Lags {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS + 1],
            total: 0,
            max: 0,
        }
    }
}

impl Lags {
    /// Counts one, in microseconds.
    pub(super) fn add(&mut self, micros: u64) {
        let bucket = usize::try_from(micros / WIDTH).unwrap_or(BUCKETS).min(BUCKETS);
        self.counts[bucket] += 1;
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// The largest so far.
    pub(super) const fn max(&self) -> u64 {
        self.max
    }

    /// The percentiles, rounded up to their bucket's end.
    pub(super) fn summary(&self) -> Lag {
        Lag {
            p50: self.at(500),
            p99: self.at(990),
            p999: self.at(999),
            max: self.max,
        }
    }

    fn at(&self, per_mille: u64) -> u64 {
        let wanted = (self.total * per_mille).div_ceil(1_000);
        let mut seen = 0;
        for (bucket, &count) in (0_u64..).zip(&self.counts[..BUCKETS]) {
            seen += u64::from(count);
            if seen >= wanted {
                return ((bucket + 1) * WIDTH).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ends_of_buckets_and_never_above_the_largest() {
        let mut lags = Lags::default();
        assert_eq!(lags.summary(), Lag::default());
        for _ in 0..998 {
            lags.add(10);
        }
        lags.add(4_970);
        lags.add(7_000_000);
        let Lag { p50, p99, p999, max } = lags.summary();
        assert_eq!((p50, p99, p999, max), (50, 50, 5_000, 7_000_000));
        lags.add(8_000_000);
        assert_eq!(
            lags.summary().p999,
            8_000_000,
            "two of 1,001 are more than one in a thousand"
        );
    }
}
