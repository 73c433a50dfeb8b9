use std::time::Duration;

use super::*;

fn header() -> Header {
    let opened = clock::now();
    Header {
        format: FORMAT,
        run: RunId::new().unwrap(),
        experiment: "terminate-eks-nodes".into(),
        cluster: Identity {
            kind: "files".into(),
            context: "here".into(),
            server: "https://127.0.0.1:1".into(),
            uid: "u".into(),
            details: [("folder".to_owned(), "/tmp".to_owned())].into(),
        },
        owner: Owner::this(),
        version: env!("CARGO_PKG_VERSION").into(),
        opened,
        deadline: opened + Duration::from_secs(60),
    }
}

fn words(what: &str) -> Description {
    Description {
        what: what.into(),
        undo: format!("un{what}"),
    }
}

/// A journal with three changes: done, undone, and only intended.
fn three(state: &State) -> PathBuf {
    let mut journal = Journal::<u32>::create(state, header()).unwrap();
    let path = journal.path().to_owned();
    for change in [10, 20] {
        let seq = journal.intend(&change, words("break")).unwrap();
        journal.done(seq).unwrap();
    }
    journal.intend(&30, words("break")).unwrap();
    let mut open = journal.reopen().unwrap();
    open.undone(2, Undone::PutBack).unwrap();
    path
}

fn to_undo(replay: &Replay) -> Vec<Value> {
    replay.open().map(|entry| entry.change.clone()).collect()
}

#[test]
fn what_is_not_undone_is_read_back_last_first() {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay::read(&three(&State::at(folder.path()))).unwrap();
    assert_eq!(to_undo(&replay), [30, 10]);
    assert_eq!(
        replay.entries.iter().map(|entry| entry.done).collect::<Vec<_>>(),
        [true, true, false]
    );
    assert_eq!(replay.entries[0].description, words("break"));
    assert!(!replay.closed);
}

#[test]
fn a_torn_last_line_is_as_if_it_had_not_been_written_and_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = three(&State::at(folder.path()));
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().nth(1).unwrap().replace("\"seq\":1", "\"seq\":4");
    // Every way to tear it, up to the missing end alone.
    for length in 1..=line.len() {
        fs::write(&path, format!("{text}{}", &line[..length])).unwrap();
        let mut open = Open::take(&path).unwrap();
        assert_eq!(to_undo(open.replay()), [30, 10], "{length}");
        open.undone(3, Undone::PutBack).unwrap();
        drop(open);
        assert_eq!(to_undo(&Replay::read(&path).unwrap()), [10], "{length}");
    }
}

#[test]
fn a_broken_line_before_the_last_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = three(&State::at(folder.path()));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"seq\":1", "\"seq\":x", 1)).unwrap();
    assert!(matches!(Replay::read(&path), Err(JournalError::Broken { line: 2, .. })));
}

#[test]
fn a_journal_of_another_version_is_refused_with_the_version_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = three(&State::at(folder.path()));
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replacen("\"format\":1", "\"format\":2", 1).replacen(
        "\"version\":\"0.1.0\"",
        "\"version\":\"0.9.0\",\"new\":1",
        1,
    );
    fs::write(&path, text).unwrap();
    let error = Open::take(&path).unwrap_err().to_string();
    assert!(
        error.contains("found format 2") && error.contains("--version =0.9.0"),
        "{error}"
    );
}

#[test]
fn a_file_without_a_whole_header_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = three(&State::at(folder.path()));
    let text = fs::read_to_string(&path).unwrap();
    let first = text.find('\n').unwrap();
    for part in ["", &text[..first], &text[first + 1..]] {
        fs::write(&path, part).unwrap();
        assert!(matches!(Replay::read(&path), Err(JournalError::NoHeader(_))), "{part}");
    }
}

#[test]
fn a_journal_belongs_to_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::at(folder.path());
    let journal = Journal::<u32>::create(&state, header()).unwrap();
    let path = journal.path().to_owned();
    assert!(matches!(Open::take(&path), Err(JournalError::Held(_))));
    let open = journal.reopen().unwrap();
    assert!(
        matches!(Open::take(&path), Err(JournalError::Held(_))),
        "the lock goes with it"
    );
    drop(open);
    assert!(Open::take(&path).is_ok());
}

#[test]
fn nothing_is_intended_after_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header();
    header.deadline = header.opened;
    let mut journal = Journal::<u32>::create(&State::at(folder.path()), header).unwrap();
    assert!(matches!(
        journal.intend(&1, words("break")),
        Err(JournalError::PastDeadline(_))
    ));
    assert_eq!(to_undo(&Replay::read(journal.path()).unwrap()), [0_u32; 0]);
}

#[test]
fn nothing_is_intended_after_a_record_that_could_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::<u32>::create(&State::at(folder.path()), header()).unwrap();
    // A handle that cannot be written to, as a full disk cannot.
    journal.lines.file = File::open(journal.path()).unwrap();
    assert!(matches!(
        journal.intend(&1, words("break")),
        Err(JournalError::Io { .. })
    ));
    assert!(matches!(
        journal.intend(&1, words("break")),
        Err(JournalError::Poisoned(_))
    ));
}

#[test]
#[cfg(unix)]
fn a_journal_and_its_folder_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let state = State::at(folder.path().join("deep/er"));
    let journal = Journal::<u32>::create(&state, header()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(journal.path()), mode(&state.runs())), (0o600, 0o700));
}
