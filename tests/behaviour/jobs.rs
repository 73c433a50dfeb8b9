//! Jobs. Source: pkg/controller/job/job_controller.go (`syncJob`, `manageJob`, `isPodFailed`, `enactJobFinished`),
//! backoff_utils.go; pkg/controller/ttlafterfinished; pkg/apis/batch/validation.

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;
use steadfast::simulation::api::{ApiStore as _, DeleteOptions};
use steadfast::simulation::objects::resources::NODES;

use super::scene::{SPACE, Scene, condition, within};

fn task(runs: &str, exit: u8) -> String {
    format!(
        "  task:\n    images: [task]\n    start: {{ from: 0s, to: 0s }}\n    shutdown: {{ from: 1s, to: 1s }}\n    runs: {{ from: {runs}, to: {runs} }}\n    \
         exit: {exit}\n"
    )
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "task"}]}},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn started(model: &str, more: Value) -> Scene {
    let mut scene = Scene::new(model);
    scene.create("Job", json!({"metadata": {"name": "it"}, "spec": spec(more)}));
    scene
}

fn status(scene: &Scene) -> Value {
    scene
        .object("Job", "it")
        .map_or(Value::Null, |mut job| job["status"].take())
}

fn count(scene: &Scene, field: &str) -> u64 {
    status(scene)[field].as_u64().unwrap_or(0)
}

fn is(scene: &Scene, kind: &str) -> bool {
    condition(&status(scene), kind)["status"] == "True"
}

/// Pods that have not ended and are not being deleted.
fn active(scene: &Scene) -> usize {
    let phase = |pod: &Value| pod["status"]["phase"].as_str().unwrap().to_owned();
    let pods = scene.pods();
    pods.iter()
        .filter(|pod| ["Pending", "Running"].contains(&&*phase(pod)) && pod["metadata"]["deletionTimestamp"].is_null())
        .count()
}

#[test]
fn a_job_is_complete_when_its_pod_has_ended_well() {
    let mut scene = started(&task("3s", 0), json!({}));
    let made = scene.now();
    let done = scene.until("complete", 20.0, |scene| is(scene, "Complete"));
    // Start, three seconds, the end is seen within a second, and one that changes of pods are gathered for.
    within(done - made, 3.6 + 1.0, 3.6 + 4.0);
    assert_eq!(
        (
            count(&scene, "succeeded"),
            count(&scene, "failed"),
            count(&scene, "active")
        ),
        (1, 0, 0)
    );
    let kinds: Vec<Value> = status(&scene)["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].clone())
        .collect();
    assert_eq!(kinds, ["SuccessCriteriaMet", "Complete"]);
    let complete = condition(&status(&scene), "Complete");
    assert_eq!(complete["reason"], "CompletionsReached");
    assert_eq!(complete["message"], "Reached expected number of succeeded pods");
    assert!(status(&scene)["completionTime"].is_string());
    // Its pod stays, with what tells it apart.
    let pod = &scene.pods()[0];
    assert_eq!(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"], "it");
    let job = scene.object("Job", "it").unwrap();
    let uid = &job["metadata"]["uid"];
    assert_eq!(
        &job["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"],
        uid
    );
    assert_eq!(&pod["metadata"]["labels"]["controller-uid"], uid);
}

// `manageJob`: never more than parallelism, never more than what is missing.
#[test]
fn no_more_pods_run_than_parallelism_and_what_is_missing_allow() {
    let mut scene = started(&task("5s", 0), json!({"completions": 5, "parallelism": 2}));
    let mut most = 0;
    while !is(&scene, "Complete") {
        scene.run(0.1);
        most = most.max(active(&scene));
        assert!(scene.now() < 200.0);
    }
    assert_eq!((most, scene.pods().len(), count(&scene, "succeeded")), (2, 5, 5));
}

// Without completions the first success is enough; the others end by themselves.
#[test]
fn a_job_without_completions_waits_for_all_once_one_has_ended_well() {
    let mut scene = started(&task("5s", 0), json!({"parallelism": 3}));
    scene.until("complete", 30.0, |scene| is(scene, "Complete"));
    assert_eq!((scene.pods().len(), count(&scene, "succeeded")), (3, 3));
}

#[test]
fn an_indexed_job_has_one_success_for_each_index() {
    let more = json!({"completions": 4, "parallelism": 4, "completionMode": "Indexed"});
    let mut scene = started(&task("2s", 0), more);
    scene.until("complete", 30.0, |scene| is(scene, "Complete"));
    assert_eq!(status(&scene)["completedIndexes"], "0-3");
    let mut names: Vec<String> = scene
        .pods()
        .iter()
        .map(|pod| pod["metadata"]["name"].as_str().unwrap()[..5].to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["it-0-", "it-1-", "it-2-", "it-3-"]);
    let label = "batch.kubernetes.io/job-completion-index";
    assert!(
        scene
            .pods()
            .iter()
            .all(|pod| pod["metadata"]["labels"][label] == pod["metadata"]["annotations"][label])
    );
}

// backoff_utils.go: 10 s after the first failure, doubling; syncs that pods set off come a second later.
#[test]
fn a_failed_pod_is_replaced_after_a_pause_that_doubles_and_the_limit_ends_it() {
    let mut scene = started(&task("1s", 1), json!({"backoffLimit": 3}));
    let mut born = vec![scene.until("first", 5.0, |scene| !scene.pods().is_empty())];
    for (number, pause) in [(2, 10.0), (3, 20.0), (4, 40.0)] {
        let at = scene.until("next", 60.0, |scene| scene.pods().len() == number);
        // It starts within 1.3 s, works for one; what follows counts from its end.
        within(at - born[born.len() - 1], pause + 1.5, pause + 1.0 + 1.3 + 1.2);
        born.push(at);
    }
    scene.until("failed", 20.0, |scene| is(scene, "Failed"));
    assert_eq!((count(&scene, "failed"), scene.pods().len()), (4, 4));
    let failed = condition(&status(&scene), "Failed");
    assert_eq!(failed["reason"], "BackoffLimitExceeded");
    assert_eq!(failed["message"], "Job has reached the specified backoff limit");
    assert!(is(&scene, "FailureTarget"));
}

// `pastBackoffLimitOnFailure`: restarts of containers count, and the pod goes.
#[test]
fn with_on_failure_restarts_count_against_the_limit() {
    let mut scene = Scene::new(&task("1s", 1));
    let mut it = spec(json!({"backoffLimit": 2}));
    it["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    scene.create("Job", json!({"metadata": {"name": "it"}, "spec": it}));
    scene.until("failed", 60.0, |scene| is(scene, "Failed"));
    assert_eq!(condition(&status(&scene), "Failed")["reason"], "BackoffLimitExceeded");
    assert_eq!(scene.pods().len(), 0);
}

#[test]
fn a_job_is_active_no_longer_than_its_deadline() {
    let mut scene = started(&task("10m", 0), json!({"activeDeadlineSeconds": 30}));
    let made = scene.now();
    let failed = scene.until("failed", 60.0, |scene| is(scene, "Failed"));
    // Its pod gets a second to end; then nobody is left (`enactJobFinished` waits for terminating pods).
    within(failed - made, 30.9, 33.5);
    assert_eq!(condition(&status(&scene), "Failed")["reason"], "DeadlineExceeded");
}

#[test]
fn a_finished_job_goes_with_its_pods_when_its_time_is_over() {
    let mut scene = started(&task("1s", 0), json!({"ttlSecondsAfterFinished": 20}));
    let done = scene.until("complete", 20.0, |scene| is(scene, "Complete"));
    let gone = scene.until("gone", 40.0, |scene| scene.object("Job", "it").is_none());
    within(gone - done, 19.9, 20.2);
    scene.until("pods gone", 5.0, |scene| scene.pods().is_empty());
}

#[test]
fn a_suspended_job_has_no_pods_and_starts_anew() {
    let mut scene = started(&task("60s", 0), json!({"suspend": true}));
    scene.run(10.0);
    assert!(scene.pods().is_empty() && is(&scene, "Suspended"));
    assert!(status(&scene)["startTime"].is_null());
    scene.patch("Job", "it", &json!({"spec": {"suspend": false}})).unwrap();
    scene.until("runs", 5.0, |scene| active(scene) == 1);
    assert_eq!(condition(&status(&scene), "Suspended")["reason"], "JobResumed");
    scene.patch("Job", "it", &json!({"spec": {"suspend": true}})).unwrap();
    scene.until("none left", 10.0, |scene| scene.pods().is_empty());
    // What the controller itself deletes is no failure.
    assert_eq!(count(&scene, "failed"), 0);
}

// `isPodFailed`: a pod that is being deleted counts as failed, and is replaced, unless only failed ones are.
#[rstest]
#[case::at_once("TerminatingOrFailed", true)]
#[case::once_it_has_failed("Failed", false)]
fn what_a_pod_on_a_dead_node_means_to_its_job(#[case] policy: &str, #[case] replaced: bool) {
    let mut scene = started(&task("30m", 0), json!({"podReplacementPolicy": policy}));
    scene.until("runs", 10.0, |scene| {
        scene.pods().iter().any(|pod| pod["status"]["phase"] == "Running")
    });
    let node = scene.pods()[0]["spec"]["nodeName"].as_str().unwrap().to_owned();
    scene.world.inject(Mode::Kill, std::slice::from_ref(&node));
    // Unreachable after 50 s, evicted 300 s later.
    scene.run(420.0);
    assert_eq!(
        (active(&scene) == 1, count(&scene, "failed")),
        (replaced, u64::from(replaced))
    );
    assert_eq!(scene.pods().len(), if replaced { 2 } else { 1 });
    assert_eq!(count(&scene, "terminating"), 1);
    // Only pod garbage collection ends it, when its node is gone.
    scene
        .world
        .delete(NODES, None, &node, &DeleteOptions::default())
        .unwrap();
    scene.run(120.0);
    assert_eq!(
        (active(&scene), count(&scene, "failed"), count(&scene, "terminating")),
        (1, 1, 0)
    );
}

#[test]
fn an_assumed_task_is_done_at_once_and_one_nobody_described_goes_on() {
    let mut scene = started("", json!({}));
    scene.run(60.0);
    assert_eq!((count(&scene, "active"), is(&scene, "Complete")), (1, false));
    scene.world.assume_default_model(SPACE);
    scene.create("Job", json!({"metadata": {"name": "other"}, "spec": spec(json!({}))}));
    let complete = |scene: &Scene| {
        let status = scene.object("Job", "other").unwrap()["status"].clone();
        condition(&status, "Complete")["status"] == "True"
    };
    scene.until("complete", 10.0, complete);
}

#[rstest]
#[case(json!({"completions": 2}), "spec.completions: Invalid value: 2: field is immutable")]
#[case(json!({"template": {"spec": {"containers": [{"name": "main", "image": "other"}]}}}), "spec.template: Invalid value: ")]
#[case(json!({"backoffLimit": -1}), "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0")]
#[case(json!({"completionMode": "Other"}), "spec.completionMode: Unsupported value: \"Other\": supported values: \"Indexed\", \"NonIndexed\"")]
#[case(json!({"template": {"spec": {"restartPolicy": "Always"}}}), "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"")]
fn a_change_that_makes_no_sense_is_refused(#[case] change: Value, #[case] why: &str) {
    let mut scene = started(&task("60s", 0), json!({}));
    scene.run(5.0);
    let refused = scene.patch("Job", "it", &json!({ "spec": change })).unwrap_err();
    assert!(refused.contains(why), "{refused}");
}

/// Admission judges a Job's pods as everybody's; what was refused is tried again (job_controller.go `manageJob`, `podControl`).
#[test]
fn a_quota_holds_a_jobs_pods_back_until_there_is_room() {
    let mut scene = Scene::new(&task("300s", 0));
    scene.create(
        "ResourceQuota",
        json!({"metadata": {"name": "two"}, "spec": {"hard": {"pods": "2"}}}),
    );
    let more = json!({"parallelism": 3, "completions": 3});
    scene.create("Job", json!({"metadata": {"name": "it"}, "spec": spec(more)}));
    scene.run(30.0);
    assert_eq!(active(&scene), 2);
    let refusals = scene.events("FailedCreate");
    assert!(
        refusals.iter().any(|it| it.contains("exceeded quota: two")),
        "{refusals:?}"
    );
    scene.delete("ResourceQuota", "two", None);
    scene.until("the third", 120.0, |scene| active(scene) == 3);
}
