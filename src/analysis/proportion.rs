//! How often something held in many runs, and how much that says.

use std::fmt;

use super::figures::percent;

/// So many of so many: "143 of 200 (71.5 %, 64.9 to 77.3 %)".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    held: u64,
    total: u64,
}

/// The square of the 97.5 % point of the normal distribution (1.959964), in parts in a million.
const Z_SQUARED: u128 = 3_841_459;
const MILLION: u128 = 1_000_000;

impl Proportion {
    /// `held` of `total`; more than all count as all.
    #[must_use]
    pub const fn new(held: u64, total: u64) -> Self {
        Self {
            held: if held < total { held } else { total },
            total,
        }
    }

    /// How many held.
    #[must_use]
    pub const fn held(self) -> u64 {
        self.held
    }

    /// Of how many.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.total
    }

    /// The share that held in parts in a million, rounded to the nearest; `None` of nothing.
    #[must_use]
    pub fn ppm(self) -> Option<u32> {
        let (held, total) = (u128::from(self.held), u128::from(self.total));
        (total > 0).then(|| nearest(held * MILLION, total))
    }

    /// The 95 % score interval of the share, in parts in a million; `None` of nothing. It stays within 0 and 1 and says
    /// something even when none or all held (E. B. Wilson, "Probable inference, the law of succession, and statistical
    /// inference", Journal of the American Statistical Association 22, 1927). Exact in integers to a millionth.
    #[must_use]
    pub fn interval_ppm(self) -> Option<(u32, u32)> {
        let (held, total) = (u128::from(self.held), u128::from(self.total));
        if total == 0 {
            return None;
        }
        // (2k + z^2 -+ z sqrt(z^2 + 4k(n-k)/n)) / 2(n + z^2), all of it times a million.
        let middle = 2 * held * MILLION + Z_SQUARED;
        let root = (Z_SQUARED * (Z_SQUARED + (4 * held * MILLION).saturating_mul(total - held) / total)).isqrt();
        let below = 2 * (total * MILLION + Z_SQUARED);
        Some((
            nearest((middle - root) * MILLION, below),
            nearest((middle + root) * MILLION, below),
        ))
    }
}

/// A quotient rounded to the nearest.
fn nearest(part: u128, whole: u128) -> u32 {
    u32::try_from((2 * part + whole) / (2 * whole)).unwrap_or(u32::MAX)
}

impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.held, self.total)?;
        let (Some(share), Some((low, high))) = (self.ppm(), self.interval_ppm()) else {
            return Ok(());
        };
        // Unlike an availability, an estimate is rounded to the nearest tenth.
        let tenth = |ppm: u32| percent((ppm + 500) / 1_000 * 1_000);
        write!(
            f,
            " ({}, {} to {})",
            tenth(share),
            tenth(low).trim_end_matches(" %"),
            tenth(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_interval_is_wilsons() {
        // R: prop.test(143, 200, correct = FALSE)$conf.int, and for 0 of 10 and 10 of 10.
        assert_eq!(
            Proportion::new(143, 200).to_string(),
            "143 of 200 (71.5 %, 64.9 to 77.3 %)"
        );
        assert_eq!(Proportion::new(0, 10).interval_ppm(), Some((0, 277_533)));
        assert_eq!(Proportion::new(10, 10).interval_ppm(), Some((722_467, 1_000_000)));
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        assert_eq!(
            (Proportion::new(0, 0).ppm(), Proportion::new(3, 0).interval_ppm()),
            (None, None)
        );
        assert_eq!(Proportion::new(0, 0).to_string(), "0 of 0");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share_and_agrees_with_floating_point(total in 1_u64..1_000_000, part in 0_u64..=1_000_000) {
            let held = total * part / 1_000_000;
            let (low, high) = Proportion::new(held, total).interval_ppm().unwrap();
            let share = Proportion::new(held, total).ppm().unwrap();
            prop_assert!(low <= share && share <= high && high <= 1_000_000);
            let (k, n, z) = (held as f64, total as f64, 1.959_963_984_540_054_f64);
            let root = z * (z * z + 4.0 * k * (n - k) / n).sqrt();
            let bound = |root: f64| (2.0 * k + z * z + root) / (2.0 * (n + z * z)) * 1e6;
            prop_assert!((bound(-root) - f64::from(low)).abs() < 1.5 && (bound(root) - f64::from(high)).abs() < 1.5);
        }
    }
}
