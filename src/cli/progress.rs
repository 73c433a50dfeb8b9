//! What is going on, on stderr: a bar or a spinner on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Where progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nowhere.
    Quiet,
    /// To a pipe or a file.
    Lines,
    /// To a terminal.
    Terminal,
}

/// Something that is going on; dropped when it is over.
#[derive(Debug)]
#[must_use = "what is going on is over once it is dropped"]
pub struct Going {
    bar: Option<ProgressBar>,
    lines: bool,
    what: String,
    done: AtomicU64,
    total: u64,
}

impl Progress {
    /// For the terminal there is.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Terminal
        } else {
            Self::Lines
        }
    }

    /// Says what begins.
    pub fn phase(self, what: &str) -> Going {
        if self == Self::Lines {
            say(what);
        }
        let bar = (self == Self::Terminal).then(ProgressBar::new_spinner);
        self.going(bar, what, 0)
    }

    /// Says what begins, of `total` steps.
    pub fn count(self, what: &str, total: u64) -> Going {
        if self == Self::Lines {
            say(&format!("{what}: {total}"));
        }
        let bar = (self == Self::Terminal).then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        self.going(bar, what, total)
    }

    fn going(self, bar: Option<ProgressBar>, what: &str, total: u64) -> Going {
        if let Some(bar) = &bar {
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Going {
            bar,
            lines: self == Self::Lines,
            what: what.to_owned(),
            done: AtomicU64::new(0),
            total,
        }
    }
}

impl Going {
    /// One more step is done. Without a terminal, each quarter of them is a line.
    pub fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.lines && self.total >= 8 && done * 4 / self.total > (done - 1) * 4 / self.total {
            say(&format!("{}: {done} of {}", self.what, self.total));
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A line; where stderr is gone, nobody reads it.
fn say(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
