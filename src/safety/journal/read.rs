//! Journals read back: what is still to be undone.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, Header, JournalError, Lines, Record};
use crate::safety::clock;
use crate::safety::restore::{Description, Undone};

/// A change that is to be undone, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// What it is, in words.
    pub description: Description,
    /// As data.
    pub change: Value,
    /// Whether it is known to have been made. One that is not may have been.
    pub done: bool,
    /// How it was undone.
    pub undone: Option<Undone>,
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Its first record.
    pub header: Header,
    /// All changes, in order.
    pub entries: Vec<Entry>,
    /// Whether nothing is left to do.
    pub closed: bool,
    /// The length of its whole lines in bytes; what follows was torn off by a crash.
    whole: u64,
}

/// What must be known of line 1 before the rest of it is believed.
#[derive(Deserialize)]
struct Opening {
    record: String,
    format: u64,
    #[serde(default)]
    version: String,
}

impl Replay {
    /// Reads a journal, whoever holds it.
    ///
    /// # Errors
    /// When it cannot be read, is of another version, or broken elsewhere than in its last line.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let text = std::fs::read(path).map_err(|source| unread(path, source))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self, JournalError> {
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
        let no_header = || JournalError::NoHeader(path.to_owned());
        let (_, first) = lines
            .next()
            .filter(|(_, line)| line.ends_with(b"\n"))
            .ok_or_else(no_header)?;
        let opening: Opening = serde_json::from_slice(first).map_err(|_| no_header())?;
        if opening.record != "header" {
            return Err(no_header());
        }
        if opening.format != u64::from(FORMAT) {
            return Err(JournalError::Format {
                path: path.to_owned(),
                found: opening.format,
                version: opening.version,
            });
        }
        let Ok(Record::Header(header)) = serde_json::from_slice(first) else {
            return Err(no_header());
        };
        let mut replay = Self {
            header,
            entries: Vec::new(),
            closed: false,
            whole: first.len() as u64,
        };
        while let Some((index, line)) = lines.next() {
            let is_last = lines.peek().is_none();
            match serde_json::from_slice::<Record>(line) {
                // Without its end a line was not synced, and what it announces not done.
                Ok(_) if !line.ends_with(b"\n") => break,
                Ok(record) => replay.take(record),
                Err(_) if is_last => break,
                Err(source) => {
                    return Err(JournalError::Broken {
                        path: path.to_owned(),
                        line: index + 1,
                        source,
                    });
                }
            }
            replay.whole += line.len() as u64;
        }
        Ok(replay)
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Header(_) => {}
            Record::Intent {
                seq,
                description,
                change,
                ..
            } => self.entries.push(Entry {
                seq,
                description,
                change,
                done: false,
                undone: None,
            }),
            Record::Done { seq, .. } => self.with(seq, |entry| entry.done = true),
            Record::Undone { seq, how, .. } => self.with(seq, |entry| entry.undone = Some(how)),
            Record::Closed { .. } => self.closed = true,
        }
    }

    fn with(&mut self, seq: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.seq == seq) {
            change(entry);
        }
    }

    /// What is still to be undone, the last change first.
    pub fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().filter(|entry| entry.undone.is_none())
    }
}

/// A journal to undo from. Its file is locked as long as this lives, unless it was opened past its deadline.
#[derive(Debug)]
pub struct Open {
    lines: Lines,
    replay: Replay,
}

impl Open {
    /// Takes over a journal whose owner is gone.
    ///
    /// # Errors
    /// [`JournalError::Held`] when it is not; others when it cannot be read.
    pub fn take(path: &Path) -> Result<Self, JournalError> {
        let lines = lines(path)?;
        if !lines.try_lock()? {
            return Err(JournalError::Held(path.to_owned()));
        }
        Self::of(lines)
    }

    /// Opens the journal of a run whose deadline has passed while its owner may still be there. Nothing is intended in it any more, and
    /// undoing twice does no harm.
    pub(in crate::safety) fn past_deadline(path: &Path) -> Result<Self, JournalError> {
        let lines = lines(path)?;
        let replay = Replay::read(path)?;
        Ok(Self { lines, replay })
    }

    pub(super) fn of(mut lines: Lines) -> Result<Self, JournalError> {
        let mut text = Vec::new();
        // Appended to and locked by the one handle, read by another: the file may have been opened for appending only.
        let read = std::fs::File::open(&lines.path).and_then(|mut file| file.read_to_end(&mut text));
        read.map_err(|source| unread(&lines.path, source))?;
        let replay = Replay::parse(&lines.path, &text)?;
        let torn = (text.len() as u64) > replay.whole;
        if torn {
            let cut = lines
                .file
                .set_len(replay.whole)
                .and_then(|()| lines.file.seek(io::SeekFrom::End(0)));
            cut.and_then(|_| lines.file.sync_all())
                .map_err(|source| JournalError::Io {
                    path: lines.path.clone(),
                    doing: "mended",
                    source,
                })?;
        }
        lines.poisoned = false;
        Ok(Self { lines, replay })
    }

    /// What it says.
    #[must_use]
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.lines.path
    }

    /// Records that a change is undone.
    ///
    /// # Errors
    /// When it is not on the disk; it will then be undone again.
    pub fn undone(&mut self, seq: u64, how: Undone) -> Result<(), JournalError> {
        let record = Record::Undone {
            seq,
            at: clock::now(),
            how,
        };
        self.append(record)
    }

    /// Records that nothing is left to do.
    ///
    /// # Errors
    /// When it is not on the disk; the journal will then be looked at again.
    pub fn close(&mut self) -> Result<(), JournalError> {
        self.append(Record::Closed { at: clock::now() })
    }

    fn append(&mut self, record: Record) -> Result<(), JournalError> {
        self.lines.append(&record)?;
        self.replay.take(record);
        Ok(())
    }
}

fn lines(path: &Path) -> Result<Lines, JournalError> {
    let file = OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(|source| unread(path, source))?;
    Ok(Lines {
        file,
        path: path.to_owned(),
        poisoned: false,
    })
}

fn unread(path: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        path: path.to_owned(),
        doing: "read",
        source,
    }
}
