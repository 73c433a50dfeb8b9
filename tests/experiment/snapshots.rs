//! The snapshot assertion: the verdict goes before the text.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use steadfast::{Report, Verdict, assert_availability_snapshot};

use super::small::{kind, sound};

/// Runs the assertion with the snapshots of a folder; the message when it panics.
fn asserted(report: &Report, folder: &Path) -> Result<(), String> {
    let mut settings = steadfast::insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        catch_unwind(AssertUnwindSafe(|| assert_availability_snapshot!("test", report))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or(panic.downcast_ref::<&str>().copied())
                .unwrap_or_default()
                .to_owned()
        })
    })
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Approves what a report shows.
fn approve(report: &Report, folder: &Path) -> String {
    let name = format!("{}.snap", report.snapshot_name("test").replace('/', "__"));
    let text = format!(
        "---\nsource: test\nexpression: report.snapshot()\n---\n{}",
        report.snapshot()
    );
    std::fs::write(folder.join(&name), text).unwrap();
    name
}

#[tokio::test]
async fn an_approved_snapshot_never_turns_an_unexpected_verdict_green() {
    let folder = tempfile::tempdir().unwrap();
    let held = sound(&kind().await).await;
    let name = approve(&held, folder.path());
    assert_eq!(
        asserted(&held, folder.path()),
        Ok(()),
        "the approved text is found, and it is the same"
    );

    let mut history = held.history().clone();
    history.header.plan.expected = Verdict::Violated;
    let unexpected = Report::new(history);
    assert_eq!(
        unexpected.snapshot(),
        held.snapshot(),
        "nothing but the expectation differs"
    );
    let message = asserted(&unexpected, folder.path()).unwrap_err();
    assert!(message.contains("expected violated, but it is held"), "{message}");

    for (verdict, spoil) in [
        (
            "inconclusive",
            (|report: &Report| {
                let mut history = report.history().clone();
                history.end.as_mut().unwrap().max_lag = 1_000_000;
                history
            }) as fn(&Report) -> _,
        ),
        ("aborted", |report: &Report| {
            let mut history = report.history().clone();
            history.end = None;
            history
        }),
    ] {
        let report = Report::new(spoil(&held));
        approve(&report, folder.path());
        let message = asserted(&report, folder.path()).unwrap_err();
        assert!(
            message.contains(&format!("expected held, but it is {verdict}")),
            "{message}"
        );
    }
    assert_eq!(
        files(folder.path()),
        [name],
        "no text was compared: insta left nothing to review"
    );
}

#[tokio::test]
async fn the_expected_verdict_with_another_text_fails() {
    let folder = tempfile::tempdir().unwrap();
    let held = sound(&kind().await).await;
    let name = approve(&held, folder.path());
    let path = folder.path().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("availability: ", "availability: about ")).unwrap();
    assert!(asserted(&held, folder.path()).is_err());
}
