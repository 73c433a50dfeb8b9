//! Chance, reproducible: one stream per purpose, derived from the seed and a name.
//!
//! A stream's draws depend on the seed and its own name alone, so adding a node does not shift the
//! draws of the others. The generator is xoshiro256++ (Blackman and Vigna, 2019), whose output is
//! fixed by its definition; the samplers are integer arithmetic, written here because those of a
//! general library may change between versions and the histories of a seed must not.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::time::Span;

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream for one purpose, for example `"scheduler"` or `"kubelet/node-3"`.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a, 64 bits: a fixed, well known hash; the seeding below mixes it further.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(Xoshiro256PlusPlus::seed_from_u64(
            hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17),
        ))
    }

    /// A number in `0..bound`; 0 when `bound` is 0. Lemire's multiply-shift: its bias is below 2^-32 for every bound used here.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into a list of `len` entries; 0 when it is empty.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A length in `from..=to`, every microsecond equally likely; `from` when `to` is less.
    #[inline]
    pub fn span(&mut self, from: Span, to: Span) -> Span {
        if to.0 <= from.0 {
            return from;
        }
        Span(from.0 + self.below(to.0 - from.0 + 1))
    }

    /// True `parts` times in a million.
    #[inline]
    pub fn chance(&mut self, parts_per_million: u64) -> bool {
        self.below(1_000_000) < parts_per_million
    }

    /// Puts `items` in random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}
