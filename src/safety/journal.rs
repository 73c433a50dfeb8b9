//! The journal of a run: what it changed, as data, on disk before it is changed.
//!
//! One file per run, in JSON Lines. Every record is written and synced to the disk before the function that writes it returns, so that a
//! change whose intent could not be recorded is never made. The file is locked by the process that owns the run; whoever gets the lock
//! knows that the owner is gone, however it went.
//!
//! ```text
//! {"record":"header","format":1,"run":"sf-…","experiment":"…","cluster":{…},"owner":{…},"version":"…","opened":"…","deadline":"…"}
//! {"record":"intent","seq":1,"at":"…","what":"…","undo":"…","change":{…}}
//! {"record":"done","seq":1,"at":"…"}
//! {"record":"undone","seq":1,"at":"…","how":"put back"}
//! {"record":"closed","at":"…"}
//! ```

mod read;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock;
use super::identity::{Identity, Owner};
use super::restore::{Description, Undone};
use super::run_id::RunId;
use super::state::State;

pub use read::{Open, Replay};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// The first record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// The experiment's name.
    pub experiment: String,
    /// The cluster that is changed.
    pub cluster: Identity,
    /// The process that changes it.
    pub owner: Owner,
    /// The version of steadfast that wrote it.
    pub version: String,
    /// When the run began.
    pub opened: Timestamp,
    /// When it must have ended: nothing is changed after it, and the watchdog restores.
    pub deadline: Timestamp,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first.
    Header(Header),
    /// Something is about to be changed.
    Intent {
        /// The change's number, from 1.
        seq: u64,
        /// When.
        at: Timestamp,
        /// In words.
        #[serde(flatten)]
        description: Description,
        /// As data, for the module that can undo it.
        change: Value,
    },
    /// It was changed.
    Done {
        /// The change's number.
        seq: u64,
        /// When.
        at: Timestamp,
    },
    /// It is as it was, and somebody looked.
    Undone {
        /// The change's number.
        seq: u64,
        /// When.
        at: Timestamp,
        /// How.
        how: Undone,
    },
    /// Nothing is left to undo.
    Closed {
        /// When.
        at: Timestamp,
    },
}

/// Why a journal could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("journal {}: it cannot be {doing}; nothing is changed without it: is its folder writable, and is there space?", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("journal {}: another process holds it", .0.display())]
    Held(PathBuf),
    /// There is no header.
    #[error("journal {}: line 1: expected a header; is this a journal of steadfast?", .0.display())]
    NoHeader(PathBuf),
    /// It is of another version.
    #[error("journal {}: expected format {FORMAT}, found format {found}: recover it with steadfast {version}, which wrote it (cargo install steadfast --version ={version})", path.display())]
    Format {
        /// The journal.
        path: PathBuf,
        /// The version found.
        found: u64,
        /// The version of steadfast that wrote it.
        version: String,
    },
    /// A line that is not the last is no record.
    #[error("journal {}: line {line}: expected a record; only the last line may be torn. Look at the file and undo by hand what it lists", path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A change cannot be written as data.
    #[error("the change {0} cannot be written as JSON")]
    Change(u64, #[source] serde_json::Error),
    /// It is too late for a change.
    #[error("the run's deadline {0} has passed: nothing more is changed; give the run a longer one")]
    PastDeadline(Timestamp),
    /// A record before could not be written.
    #[error("journal {}: an earlier record could not be written, so that nothing more is changed", .0.display())]
    Poisoned(PathBuf),
}

/// Who is told of each record, once it is on the disk.
static WATCHER: OnceLock<fn(&Record)> = OnceLock::new();

/// Has a function called after each record that this process has synced: for tests that end the process there. The first call counts.
pub fn on_record(watcher: fn(&Record)) {
    let _first = WATCHER.set(watcher);
}

/// The number of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(pub(super) u64);

/// The journal of a running experiment, of changes of one kind. Its file is locked as long as this lives.
#[derive(Debug)]
pub struct Journal<C> {
    lines: Lines,
    header: Header,
    next: u64,
    changes: PhantomData<fn(C)>,
}

impl<C: Serialize> Journal<C> {
    /// Opens the journal of a new run: folder, file and header are on the disk when this returns.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn create(state: &State, header: Header) -> Result<Self, JournalError> {
        let path = state.journal(&header.run);
        let failed = |doing| {
            let path = path.clone();
            move |source| JournalError::Io { path, doing, source }
        };
        create_private(&state.runs()).map_err(failed("given a folder"))?;
        // Under another name until it is locked: whoever finds a journal without a lock may take it for a dead one.
        let new = state.runs().join(format!(".{}.new", header.run));
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&new).map_err(failed("created"))?;
        file.try_lock().map_err(|error| failed("locked")(error.into()))?;
        let mut lines = Lines {
            file,
            path: path.clone(),
            poisoned: false,
        };
        lines.write(&Record::Header(header.clone()))?;
        fs::rename(&new, &path).map_err(failed("named"))?;
        sync_folder(&state.runs()).map_err(failed("synced"))?;
        lines.announce(&Record::Header(header.clone()));
        Ok(Self {
            lines,
            header,
            next: 1,
            changes: PhantomData,
        })
    }

    /// Its first record.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.lines.path
    }

    /// Records what is about to be changed. Only then may it be.
    ///
    /// # Errors
    /// When it is not on the disk, or the deadline has passed: do not make the change.
    pub fn intend(&mut self, change: &C, description: Description) -> Result<Seq, JournalError> {
        let at = clock::now();
        if at >= self.header.deadline {
            return Err(JournalError::PastDeadline(self.header.deadline));
        }
        let seq = self.next;
        let change = serde_json::to_value(change).map_err(|source| JournalError::Change(seq, source))?;
        self.lines.append(&Record::Intent {
            seq,
            at,
            description,
            change,
        })?;
        self.next += 1;
        Ok(Seq(seq))
    }

    /// Records that it was changed.
    ///
    /// # Errors
    /// When it is not on the disk. The change is undone all the same.
    pub fn done(&mut self, seq: Seq) -> Result<(), JournalError> {
        self.lines.append(&Record::Done {
            seq: seq.0,
            at: clock::now(),
        })
    }

    /// Records that a change has been undone before the end.
    ///
    /// # Errors
    /// When it is not on the disk; it will then be undone again.
    pub fn undone(&mut self, seq: Seq, how: Undone) -> Result<(), JournalError> {
        self.lines.append(&Record::Undone {
            seq: seq.0,
            at: clock::now(),
            how,
        })
    }

    /// The journal as it is read back, to undo what it lists. The lock goes with it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn reopen(self) -> Result<Open, JournalError> {
        Open::of(self.lines)
    }
}

/// A file of records that is appended to.
#[derive(Debug)]
struct Lines {
    file: File,
    path: PathBuf,
    poisoned: bool,
}

impl Lines {
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.write(record)?;
        self.announce(record);
        Ok(())
    }

    fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned(self.path.clone()));
        }
        let mut line = serde_json::to_vec(record).map_err(|source| JournalError::Change(0, source))?;
        line.push(b'\n');
        // One write at the file's end, so that a watchdog's records past the deadline and ours do not mix.
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_all());
        written.map_err(|source| {
            self.poisoned = true;
            JournalError::Io {
                path: self.path.clone(),
                doing: "written",
                source,
            }
        })
    }

    #[expect(clippy::unused_self, reason = "a record is announced by the journal that holds it")]
    fn announce(&self, record: &Record) {
        if let Some(watcher) = WATCHER.get() {
            watcher(record);
        }
    }

    /// Whether the lock could be had; then it is held as long as this lives.
    fn try_lock(&self) -> Result<bool, JournalError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(JournalError::Io {
                path: self.path.clone(),
                doing: "locked",
                source,
            }),
        }
    }
}

/// A folder and those above it, each synced into its own, for its owner alone.
fn create_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_private(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    }
    sync_folder(folder.parent().unwrap_or(Path::new(".")))
}

/// A file's name is only on the disk once its folder is (fsync(2), notes).
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
