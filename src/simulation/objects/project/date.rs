//! Dates of cluster time, without a clock: the cluster was created at a fixed moment.

use crate::model::time::Time;

/// Cluster time 0 as seconds since 1970: 2026-01-01T00:00:00Z. An arbitrary choice; being fixed, it keeps runs alike.
pub const EPOCH: u64 = 1_767_225_600;

/// RFC 3339 in seconds, as `metav1.Time` is written: `2026-01-01T00:00:00Z`.
#[must_use]
pub fn seconds(time: Time) -> String {
    let mut text = String::with_capacity(20);
    date(&mut text, time);
    text.push('Z');
    text
}

/// RFC 3339 in microseconds, as `metav1.MicroTime` is written: `2026-01-01T00:00:00.000000Z`.
#[must_use]
pub fn micros(time: Time) -> String {
    let mut text = String::with_capacity(27);
    date(&mut text, time);
    text.push('.');
    digits(&mut text, time.0 % 1_000_000, 6);
    text.push('Z');
    text
}

/// Cluster time of microseconds since 1970; moments before the cluster's creation count as its creation.
#[must_use]
pub fn from_unix(micros: i64) -> Time {
    Time(u64::try_from(micros).unwrap_or(0).saturating_sub(EPOCH * 1_000_000))
}

fn date(text: &mut String, time: Time) {
    let second = EPOCH + time.second();
    let (year, month, day) = civil(second / 86_400);
    for (value, width, after) in [(year, 4, '-'), (month, 2, '-'), (day, 2, 'T')] {
        digits(text, value, width);
        text.push(after);
    }
    digits(text, second / 3_600 % 24, 2);
    text.push(':');
    digits(text, second / 60 % 60, 2);
    text.push(':');
    digits(text, second % 60, 2);
}

fn digits(text: &mut String, value: u64, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(b'0' + (value / 10_u64.pow(place) % 10) as u8));
    }
}

/// Year, month and day of a day since 1970, in the proleptic Gregorian calendar: eras of 400 years that begin in March.
const fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cluster_begins_with_2026() {
        assert_eq!(seconds(Time::ZERO), "2026-01-01T00:00:00Z");
        assert_eq!(micros(Time(1)), "2026-01-01T00:00:00.000001Z");
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(micro in 0..200 * 366 * 86_400_000_000_u64) {
            let time = Time(micro);
            let parsed: jiff::Timestamp = micros(time).parse().unwrap();
            prop_assert_eq!(from_unix(parsed.as_microsecond()), time);
            let parsed: jiff::Timestamp = seconds(time).parse().unwrap();
            prop_assert_eq!(parsed.as_second() as u64, EPOCH + time.second());
        }
    }
}
