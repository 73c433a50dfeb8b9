//! The natural logarithm in integers.

/// ln(n) in millionths, rounded; 0 for 0 and 1.
///
/// The binary logarithm comes bit by bit from repeated squaring (Knuth, The Art of Computer Programming 1, 1.2.2,
/// exercise 25), 32 bits after the point.
pub(super) fn ln_millionths(n: u64) -> i64 {
    /// ln 2 in 10^-12.
    const LN_2: u128 = 693_147_180_560;
    if n < 2 {
        return 0;
    }
    let whole = n.ilog2();
    // Between 1 and 2, with 63 bits after the point.
    let mut mantissa = n << (63 - whole);
    let mut log = u64::from(whole);
    for _ in 0..32 {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let carry = (square >> 127) as u64;
        mantissa = (square >> (63 + carry)) as u64;
        log = log << 1 | carry;
    }
    let scaled = u128::from(log) * LN_2;
    let unit = 1_000_000_u128 << 32;
    ((scaled + unit / 2) / unit) as i64
}

#[cfg(test)]
mod tests {
    use super::ln_millionths;

    #[test]
    fn agrees_with_tables() {
        // Abramowitz and Stegun, Handbook of Mathematical Functions, table 4.2, to six places.
        for (n, expected) in [
            (1, 0),
            (2, 693_147),
            (3, 1_098_612),
            (4, 1_386_294),
            (5, 1_609_438),
            (7, 1_945_910),
            (10, 2_302_585),
            (11, 2_397_895),
            (100, 4_605_170),
            (102, 4_624_973),
            (5_002, 8_517_593),
        ] {
            assert_eq!(ln_millionths(n), expected, "ln {n}");
        }
    }

    #[test]
    fn agrees_with_the_floating_point_one() {
        for n in 1..20_000_u64 {
            let expected = ((n as f64).ln() * 1e6).round() as i64;
            assert!((ln_millionths(n) - expected).abs() <= 1, "ln {n}");
        }
    }
}
