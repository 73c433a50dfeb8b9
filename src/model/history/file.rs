//! Histories as files: JSON Lines in, JSON Lines out.
//!
//! The writer merges events and seconds by time (a second counts from its start; at equal times events come first), so
//! equal histories give equal bytes. The reader wants events in time order and seconds in the order of time and journey,
//! but takes either kind wherever it stands among the other: a run that appends as it goes knows a second only later.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{End, Event, FORMAT, Header, History, Record, Second};

/// Why a history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be opened, read or written.
    #[error("history file `{}`: expected a path that can be read and written", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// There is no first line, or it is another record.
    #[error("line 1: expected the header (`\"record\":\"header\"`); is this a history?")]
    NoHeader,
    /// The header is of another version.
    #[error(
        "line 1: expected a history of format {FORMAT}, found format {found}; read it with the version of steadfast that wrote it"
    )]
    Format {
        /// The version found.
        found: u64,
    },
    /// A line is not JSON.
    #[error("line {line}: expected one JSON object per line")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A line is JSON, but no record.
    #[error("line {line}: expected a record: an event, a second or the end")]
    NotARecord {
        /// The line, from 1.
        line: usize,
        /// Which field.
        #[source]
        source: serde_json::Error,
    },
    /// A second header.
    #[error(
        "line {line}: expected an event, a second or the end, found another header; are these two histories in one file?"
    )]
    SecondHeader {
        /// The line, from 1.
        line: usize,
    },
    /// A record is older than the one of its kind before it, or the same second of a journey comes twice.
    #[error("line {line}: expected {expected}")]
    Order {
        /// The line, from 1.
        line: usize,
        /// What must hold of the line.
        expected: String,
    },
    /// Something follows the end.
    #[error("line {line}: expected nothing after the end of the history on line {end}")]
    Trailing {
        /// The line, from 1.
        line: usize,
        /// The line of the end.
        end: usize,
    },
}

/// A record to be written: as [`Record`], but borrowed.
#[derive(Serialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
enum Line<'a> {
    Header(&'a Header),
    Event(&'a Event),
    Second(&'a Second),
    End(&'a End),
}

/// What must be known of line one before the rest of it is believed.
#[derive(Deserialize)]
struct Opening {
    record: Option<String>,
    format: Option<u64>,
}

/// The least size of a second on a line; only a guess at the size of the buffer.
const USUAL_LINE: usize = 160;

impl History {
    /// Writes the history as JSON Lines: equal histories give equal bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut write = |line: Line<'_>| {
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")
        };
        write(Line::Header(&self.header))?;
        let mut seconds = self.seconds.iter().peekable();
        for event in &self.events {
            while let Some(second) = seconds.next_if(|second| second.s.saturating_mul(1_000_000) < event.t) {
                write(Line::Second(second))?;
            }
            write(Line::Event(event))?;
        }
        for second in seconds {
            write(Line::Second(second))?;
        }
        self.end.as_ref().map_or(Ok(()), |end| write(Line::End(end)))
    }

    /// The history as JSON Lines.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USUAL_LINE * (self.seconds.len() + self.events.len() + 8));
        // A Vec takes every byte, and every record has string keys only: nothing here can fail.
        let written = self.write_to(&mut bytes);
        debug_assert!(written.is_ok(), "writing to memory failed: {written:?}");
        bytes
    }

    /// Writes the history to a file, in place of what was there.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        std::fs::write(path, self.to_bytes()).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a history from a file.
    ///
    /// # Errors
    /// As [`History::from_bytes`], and [`FileError::Io`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Reads a history from JSON Lines. A missing end is no error: `end` is `None`. So is a last line without a line
    /// break that is not whole JSON: the writer was cut off in it, and it is dropped.
    ///
    /// # Errors
    /// Every error names the line and what was expected there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let mut lines = bytes
            .split_inclusive(|&byte| byte == b'\n')
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        let header = header(lines.next().map_or(&[][..], |(_, line)| line))?;
        let mut history = Self {
            header,
            events: Vec::new(),
            seconds: Vec::new(),
            end: None,
        };
        let mut end_line = None;
        for (line, text) in lines {
            if let Some(end) = end_line {
                return Err(FileError::Trailing { line, end });
            }
            match record(text) {
                Ok(Record::Header(_)) => return Err(FileError::SecondHeader { line }),
                Ok(Record::Event(event)) => history.append_event(event, line)?,
                Ok(Record::Second(second)) => history.append_second(second, line)?,
                Ok(Record::End(end)) => {
                    history.end = Some(end);
                    end_line = Some(line);
                }
                Err(error) if error.is_data() => return Err(FileError::NotARecord { line, source: error }),
                Err(_) if !text.ends_with(b"\n") => {}
                Err(error) => return Err(FileError::NotJson { line, source: error }),
            }
        }
        Ok(history)
    }

    fn append_event(&mut self, event: Event, line: usize) -> Result<(), FileError> {
        if let Some(before) = self.events.last().filter(|before| before.t > event.t) {
            let expected = format!(
                "an event not before the last one at {} us, found one at {} us",
                before.t, event.t
            );
            return Err(FileError::Order { line, expected });
        }
        self.events.push(event);
        Ok(())
    }

    fn append_second(&mut self, second: Second, line: usize) -> Result<(), FileError> {
        if let Some(before) = self
            .seconds
            .last()
            .filter(|before| (before.s, before.journey) >= (second.s, second.journey))
        {
            let expected = format!(
                "a second after the last one (second {}, journey {}), found second {}, journey {}",
                before.s, before.journey, second.s, second.journey
            );
            return Err(FileError::Order { line, expected });
        }
        self.seconds.push(second);
        Ok(())
    }
}

/// A line as this writer begins it names its kind at once: then the kind is read directly, in a third of the time.
fn record(text: &[u8]) -> serde_json::Result<Record> {
    if text.starts_with(b"{\"record\":\"second\",") {
        serde_json::from_slice(text).map(Record::Second)
    } else if text.starts_with(b"{\"record\":\"event\",") {
        serde_json::from_slice(text).map(Record::Event)
    } else {
        serde_json::from_slice(text)
    }
}

/// Line one, its version first: another version's header need not read as ours.
fn header(text: &[u8]) -> Result<Header, FileError> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(FileError::NoHeader);
    }
    let opening = match serde_json::from_slice::<Opening>(text) {
        Ok(opening) => opening,
        Err(error) if error.is_data() => return Err(FileError::NoHeader),
        Err(source) => return Err(FileError::NotJson { line: 1, source }),
    };
    if opening.record.as_deref() != Some("header") {
        return Err(FileError::NoHeader);
    }
    if let Some(found) = opening.format.filter(|&found| found != u64::from(FORMAT)) {
        return Err(FileError::Format { found });
    }
    match serde_json::from_slice(text) {
        Ok(Record::Header(header)) => Ok(header),
        Ok(_) => Err(FileError::NoHeader),
        Err(source) => Err(FileError::NotARecord { line: 1, source }),
    }
}

#[cfg(test)]
mod tests;
