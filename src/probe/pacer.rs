//! When slots start: a thread that does nothing but wake up on time.
//!
//! tokio's timers are whole milliseconds and are looked at when the runtime has nothing else to do. This thread parks until the next slot's
//! time with the system's own resolution (about 60 µs late on Linux: its default timer slack is 50 µs), sends the slot and parks again. It
//! burns no core, and a slow runtime cannot shift the schedule: a slot that is handed over late is a lag that is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::now;
use crate::model::journey::slot_start;
use crate::model::time::Time;

/// A slot whose time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) journey: usize,
    pub(super) planned: Time,
}

/// The slots of all journeys in order of time.
#[derive(Debug)]
pub(super) struct Schedule {
    began: Time,
    rates: Vec<u32>,
    next: Vec<u64>,
}

impl Schedule {
    /// Slot 0 of every journey is at `began`.
    pub(super) fn new(began: Time, rates: Vec<u32>) -> Self {
        let next = vec![0; rates.len()];
        Self { began, rates, next }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let upcoming = self.rates.iter().zip(&self.next).enumerate();
        let (planned, journey) = upcoming
            .map(|(journey, (&rate, &k))| (slot_start(self.began, rate, k), journey))
            .min()?;
        self.next[journey] += 1;
        Some(Due { journey, planned })
    }
}

/// Sends every slot at its time, up to the one that is not before `stop` (microseconds of cluster time).
pub(super) fn pace(schedule: Schedule, zero: Instant, stop: &Arc<AtomicU64>, slots: &UnboundedSender<Due>) {
    for due in schedule {
        let at = zero + Duration::from_micros(due.planned.0);
        loop {
            if due.planned.0 >= stop.load(Ordering::Acquire) {
                return;
            }
            let left = at.saturating_duration_since(now());
            if left.is_zero() {
                break;
            }
            // Ends early when the load is stopped, or for no reason.
            std::thread::park_timeout(left);
        }
        if slots.send(due).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_in_the_order_of_their_time_and_each_journey_keeps_its_rate() {
        let slots: Vec<_> = Schedule::new(Time(500), vec![2, 3])
            .take(7)
            .map(|due| (due.planned.0, due.journey))
            .collect();
        assert_eq!(
            slots,
            [
                (500, 0),
                (500, 1),
                (333_833, 1),
                (500_500, 0),
                (667_166, 1),
                (1_000_500, 0),
                (1_000_500, 1)
            ]
        );
    }

    #[test]
    fn the_load_stops_with_the_last_slot_before_its_end_however_late_it_is() {
        let (sender, mut slots) = tokio::sync::mpsc::unbounded_channel();
        let stop = Arc::new(AtomicU64::new(30_000));
        // All of them are overdue.
        let zero = now().checked_sub(Duration::from_secs(1)).unwrap();
        pace(Schedule::new(Time(0), vec![100]), zero, &stop, &sender);
        drop(sender);
        let mut times = Vec::new();
        while let Some(due) = slots.blocking_recv() {
            times.push(due.planned.0);
        }
        assert_eq!(times, [0, 10_000, 20_000]);
    }
}
