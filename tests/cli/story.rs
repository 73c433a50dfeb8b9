//! The story.

use serde_json::Value;
use steadfast::model::history::History;

use super::{Shell, too_wide};

#[test]
fn the_story_ends_as_expected_and_fits_80_columns() {
    let shell = Shell::new();
    let done = shell.steadfast(&["--seed", "1", "--seeds", "4"]);
    done.code(0);
    assert_eq!(too_wide(&done.stdout), [""; 0], "{}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "colours go to terminals only");
    for part in [
        "sockshop-demo            sockshop-demo-ha",
        "violated, as expected    held, as expected",
        "Intended: ",
        "Happened: ",
        "ConfigMap cluster-autoscaler-status: Healthy",
        "3 -> 9",
        "journey checkout",
        "consistency anomalies",
        "sockshop-demo-ha held in",
        "of 4 seeds (",
        "At the usual 99 %",
        "Lesson: ",
    ] {
        assert!(done.stdout.contains(part), "`{part}` is not in\n{}", done.stdout);
    }
    assert!(done.stderr.contains("deploying sockshop-demo-ha"), "{}", done.stderr);
}

#[test]
fn the_files_read_back_and_agree_with_each_other() {
    let shell = Shell::new();
    shell
        .steadfast(&["run", "--seed", "1", "--seeds", "4", "--quiet"])
        .code(0);
    let survey: Value = serde_json::from_slice(&shell.written("survey.json")).unwrap();
    let told = survey["told_with_seed"].as_u64().unwrap();
    let in_survey = survey["seeds"]
        .as_array()
        .unwrap()
        .iter()
        .find(|seed| seed["seed"] == told)
        .unwrap();
    for (run, verdict) in [("sockshop-demo", "base"), ("sockshop-demo-ha", "ha")] {
        let history = History::from_bytes(&shell.written(&format!("{run}.history.jsonl"))).unwrap();
        assert_eq!((history.header.application.as_str(), history.header.seed), (run, told));
        assert!(history.end.is_some());
        let summary: Value = serde_json::from_slice(&shell.written(&format!("{run}.summary.json"))).unwrap();
        assert_eq!(
            summary["verdict"], in_survey[verdict],
            "the survey plays the same story"
        );
        assert_eq!(summary["repeat"], "steadfast run --seed 1 --seeds 4 --quiet");
    }
    let run: Value = serde_json::from_slice(&shell.written("run.json")).unwrap();
    assert_eq!(run["exit"], 0);
    assert_eq!(run["version"], env!("CARGO_PKG_VERSION"));
    assert!(run["started"].as_str().unwrap().ends_with('Z'), "{run}");
    assert_eq!(run["files"].as_array().unwrap().len(), 5);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (Shell::new(), Shell::new());
    let line = ["--seeds", "0", "--seed", "3", "--observe", "2m", "--quiet"];
    let (first, second) = (one.steadfast(&line), two.steadfast(&line));
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stderr, "", "--quiet");
    for run in ["sockshop-demo", "sockshop-demo-ha"] {
        let history = format!("{run}.history.jsonl");
        assert!(one.written(&history) == two.written(&history), "{history} differs");
    }
}

#[test]
fn options_that_make_no_sense_without_a_manifest_are_refused() {
    let shell = Shell::new();
    for words in [
        &["--expect", "held"][..],
        &["--model", "model.yaml"],
        &["run", "--assume-default-model"],
    ] {
        shell.steadfast(words).code(2).says("--manifest <PATH>");
    }
    shell
        .steadfast(&["--profile", "kind"])
        .code(2)
        .says("the story needs a Cluster Autoscaler");
    shell
        .steadfast(&["--seeds", "3", "--manifest", "x.yaml"])
        .code(2)
        .says("cannot be used with");
}
