//! Jobs. Source: pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go `validateJobSpec`,
//! pkg/registry/batch/job/strategy.go `generateSelector`.

use std::sync::Arc;

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Value, json};

use super::causes::Causes;
use super::names::Rule;
use super::{accept, defaults, metadata, pod, read};
use crate::model::time::Span;
use crate::simulation::api::ApiError;
use crate::simulation::objects::job::{Job, JobStatus};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::JOBS;
use crate::simulation::objects::table::Row;
use crate::simulation::objects::template::PodTemplate;

/// The label, in two spellings, of a Job's pods: the Job's uid.
const UID: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
/// The same for the Job's name.
const NAME: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// A Job with an empty status and without the labels and the selector that its uid decides ([`identify_job`]).
///
/// # Errors
/// `BadRequest` when it is no Job, Invalid when a field's value is not allowed.
pub fn job(object: &Value) -> Result<(Meta, Job), ApiError> {
    let batch::Job { metadata, spec, .. } = read(JOBS, object)?;
    let mut spec = spec.unwrap_or_default();
    fill_in(&mut spec);
    let mut causes = Causes::default();
    let mut meta = metadata::meta(JOBS, &metadata, Rule::Subdomain, &mut causes);
    check(&spec, &mut causes);
    let pods = spec.template.metadata.clone().unwrap_or_default();
    let of_pod = spec.template.spec.clone().unwrap_or_default();
    metadata::labels("spec.template.labels", pods.labels.as_ref(), &mut causes);
    metadata::annotations("spec.template.annotations", pods.annotations.as_ref(), &mut causes);
    pod::check(&of_pod, "spec.template.spec", &[], &mut causes);
    let restart = of_pod.restart_policy.as_deref();
    if restart == Some("Always") {
        causes.required(
            "spec.template.spec.restartPolicy",
            "valid values: \"OnFailure\", \"Never\"",
        );
    }
    let labels = pods.labels.unwrap_or_default();
    if meta.labels.is_empty() {
        meta.labels = Arc::new(labels.clone());
    }
    let annotations = pods.annotations.unwrap_or_default();
    let Some(template) = pod::template(labels, annotations, &of_pod, "spec.template.", &mut causes)? else {
        causes.check(JOBS, &meta)?;
        return Err(ApiError::BadRequest("the pod template cannot be read".into()));
    };
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let body = Job {
        parallelism: number(spec.parallelism).unwrap_or(1),
        completions: number(spec.completions),
        backoff_limit: number(spec.backoff_limit).unwrap_or(6),
        deadline: spec
            .active_deadline_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Span::secs),
        lasts: number(spec.ttl_seconds_after_finished).map(|seconds| Span::secs(seconds.into())),
        indexed: spec.completion_mode.as_deref() == Some("Indexed"),
        suspended: spec.suspend == Some(true),
        replaces_failed_only: spec.pod_replacement_policy.as_deref() == Some("Failed"),
        template: template.into(),
        status: JobStatus::default(),
        spec: Arc::new(serde_json::to_value(&spec).map_err(|error| ApiError::BadRequest(error.to_string()))?),
    };
    accept(JOBS, meta, causes, body)
}

fn fill_in(spec: &mut batch::JobSpec) {
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    spec.backoff_limit.get_or_insert(6);
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let policy = if spec.pod_failure_policy.is_some() {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    spec.pod_replacement_policy.get_or_insert_with(|| policy.to_owned());
    defaults::pod(spec.template.spec.get_or_insert_default());
}

fn check(spec: &batch::JobSpec, causes: &mut Causes) {
    for (field, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        (
            "ttlSecondsAfterFinished",
            spec.ttl_seconds_after_finished.map(i64::from),
        ),
    ] {
        causes.not_negative(format!("spec.{field}"), value.unwrap_or(0));
    }
    let mode = spec.completion_mode.as_deref();
    causes.one_of("spec.completionMode", mode, &["Indexed", "NonIndexed"]);
    if mode == Some("Indexed") && spec.completions.is_none() {
        causes.required("spec.completions", "when completion mode is Indexed");
    }
    causes.one_of(
        "spec.podReplacementPolicy",
        spec.pod_replacement_policy.as_deref(),
        &["Failed", "TerminatingOrFailed"],
    );
}

/// Gives a new Job's pods the labels that tell them apart, and the Job the selector of these.
pub fn identify_job(name: &str, uid: &str, job: &mut Job) {
    let template = Arc::make_mut(&mut job.template);
    let labels = Arc::make_mut(&mut template.labels);
    for (keys, value) in [(UID, uid), (NAME, name)] {
        for key in keys {
            labels.insert(key.to_owned(), value.to_owned());
        }
    }
    let spec = Arc::make_mut(&mut job.spec);
    spec["template"]["metadata"]["labels"] = json!(*template.labels);
    spec["selector"] = json!({"matchLabels": {UID[0]: uid}});
}

/// A Job's template, selector, completions and mode stay.
///
/// # Errors
/// Invalid.
pub fn check_update_job(old: &Row<Job>, new: &Job) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    let immutable = "field is immutable";
    let of = |template: &PodTemplate| template.spec.clone();
    if of(&old.body.template) != of(&new.template) {
        causes.invalid("spec.template", (*new.spec)["template"].clone(), immutable);
    }
    // The completions of an indexed Job change with its parallelism (`validateCompletions`).
    let elastic = new.indexed && new.completions == Some(new.parallelism);
    if old.body.completions != new.completions && !elastic {
        causes.invalid("spec.completions", json!(new.completions), immutable);
    }
    if old.body.indexed != new.indexed {
        causes.invalid("spec.completionMode", (*new.spec)["completionMode"].clone(), immutable);
    }
    causes.check(JOBS, &old.meta)
}
