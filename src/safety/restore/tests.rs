use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::safety::identity::Owner;
use crate::safety::journal::{FORMAT, Header, Journal, Replay};
use crate::safety::run_id::RunId;
use crate::safety::{clock, state::State};

/// Undoes numbers: 1 at once, 2 at the third try, 3 never, 4 seems undone and is not, 5 hangs.
struct Numbers;

#[derive(Debug, thiserror::Error)]
#[error("number {0} does not give in")]
struct Stubborn(u32);

static TRIES: AtomicU32 = AtomicU32::new(0);

impl Restorer for Numbers {
    const KIND: &'static str = "numbers";
    type Change = u32;
    type Error = Stubborn;

    async fn connect(_: &Identity) -> Result<Self, Stubborn> {
        Ok(Self)
    }

    async fn undo(&self, change: &u32) -> Result<Undone, Stubborn> {
        match change {
            2 if TRIES.fetch_add(1, Ordering::Relaxed) < 2 => Err(Stubborn(2)),
            3 => Err(Stubborn(3)),
            5 => std::future::pending().await,
            _ => Ok(Undone::PutBack),
        }
    }

    async fn verify(&self, change: &u32) -> Result<(), Stubborn> {
        if *change == 4 { Err(Stubborn(4)) } else { Ok(()) }
    }

    fn describe(change: &u32) -> Description {
        Description {
            what: format!("broke {change}"),
            undo: format!("mend {change}"),
        }
    }
}

fn journal(folder: &std::path::Path, kind: &str, changes: &[u32]) -> Open {
    let opened = clock::now();
    let header = Header {
        format: FORMAT,
        run: RunId::new().unwrap(),
        experiment: "numbers".into(),
        cluster: Identity {
            kind: kind.into(),
            context: String::new(),
            server: String::new(),
            uid: String::new(),
            details: [].into(),
        },
        owner: Owner::this(),
        version: "0.1.0".into(),
        opened,
        deadline: opened + Duration::from_secs(60),
    };
    let mut journal = Journal::<u32>::create(&State::at(folder), header).unwrap();
    for change in changes {
        journal.intend(change, Numbers::describe(change)).unwrap();
    }
    journal.reopen().unwrap()
}

const LIMITS: Limits = Limits {
    each: Duration::from_secs(10),
    all: Duration::from_secs(60),
};

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_all_is_undone_in_reverse() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal(folder.path(), "numbers", &[1, 6, 2]);
    let rollback = restore(&mut journal, &Registry::new().with::<Numbers>(), LIMITS).await;
    assert_eq!(rollback.undone, ["mend 6", "mend 1", "mend 2"]);
    assert!(rollback.is_complete(), "{rollback:?}");
    assert!(Replay::read(journal.path()).unwrap().closed);
    assert_eq!(
        restore(&mut journal, &Registry::new(), LIMITS).await,
        Rollback::default(),
        "twice"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_named_keeps_nothing_else_back_and_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal(folder.path(), "numbers", &[1, 3, 4, 5, 7]);
    let rollback = restore(&mut journal, &Registry::new().with::<Numbers>(), LIMITS).await;
    assert_eq!(rollback.undone, ["mend 7", "mend 1"]);
    assert_eq!(
        rollback.failed,
        [
            "broke 5; to undo it: mend 5: not finished within 10s",
            "broke 3; to undo it: mend 3: number 3 does not give in",
            "broke 4; to undo it: mend 4: number 4 does not give in",
        ]
    );
    let replay = Replay::read(journal.path()).unwrap();
    assert!(!replay.closed);
    assert_eq!(replay.open().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_an_unknown_kind_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal(folder.path(), "letters", &[1]);
    let rollback = restore(&mut journal, &Registry::new().with::<Numbers>(), LIMITS).await;
    assert!(rollback.failed[0].contains("`letters`"), "{rollback:?}");
    assert!(!Replay::read(journal.path()).unwrap().closed);
}
