//! Counters by topology domain.

use std::sync::Arc;

/// One number per domain. A clone shares them until either changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    by_domain: Arc<Vec<i32>>,
    total: i64,
}

impl Counts {
    /// The number of a domain; 0 for [`super::topology::NOWHERE`].
    #[inline]
    pub(super) fn get(&self, domain: u32) -> i32 {
        self.by_domain.get(domain as usize).copied().unwrap_or(0)
    }

    /// By domain; those beyond the end are 0.
    pub(super) fn all(&self) -> &[i32] {
        &self.by_domain
    }

    /// The sum over all domains.
    #[inline]
    pub(super) const fn total(&self) -> i64 {
        self.total
    }

    /// Adds to a domain; nothing happens at [`super::topology::NOWHERE`].
    pub(super) fn add(&mut self, domain: u32, by: i32) {
        if domain == super::topology::NOWHERE {
            return;
        }
        let numbers = Arc::make_mut(&mut self.by_domain);
        if numbers.len() <= domain as usize {
            numbers.resize(domain as usize + 1, 0);
        }
        numbers[domain as usize] += by;
        self.total += i64::from(by);
    }
}
