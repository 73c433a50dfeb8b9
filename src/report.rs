//! Reports of runs: pure functions of what [`crate::analysis`] measured and judged.
//!
//! * [`terminal`]: one run, or two side by side, as text that fits 80 columns.
//! * [`summary`]: one run as versioned JSON.

use crate::analysis::{Analysis, Judgement};
use crate::model::history::Header;

pub mod summary;
pub(crate) mod table;
pub mod terminal;

/// A run as reports see it.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    /// What was run, and on what.
    pub header: &'a Header,
    /// What was measured.
    pub analysis: &'a Analysis,
    /// What it showed.
    pub judgement: &'a Judgement,
}
