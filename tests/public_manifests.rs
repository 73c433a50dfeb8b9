//! Real manifests that nobody here wrote: each is deployed, loses a node under load, and says what is not modelled.
//!
//! They are not part of this repository. The variable `STEADFAST_PUBLIC_MANIFESTS` names a folder with one file or folder for each
//! application; `docs/public-manifests.md` says which repositories and paths were tried last, and what came of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::discovery::ApiResource;
use steadfast::app::{AppError, DEFAULT, Undeployed};
use steadfast::model::profile::Profile;
use steadfast::{App, Cluster, Experiment, NodeFailure, Units as _};

/// Where the applications are.
const FOLDER: &str = "STEADFAST_PUBLIC_MANIFESTS";

/// The kinds whose pods are counted.
const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"];

/// What came of one application.
struct Row {
    name: String,
    objects: String,
    ready: String,
    verdict: String,
    why: String,
    not_modelled: Vec<String>,
}

impl Row {
    fn ends(self, verdict: &str, why: impl Into<String>) -> Self {
        Self {
            verdict: verdict.to_owned(),
            why: why.into(),
            ..self
        }
    }
}

fn applications(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{} is empty", folder.display());
    all
}

/// A cluster on which such applications find room.
async fn cluster(profile: &str) -> Cluster {
    let mut profile = Profile::built_in(profile).unwrap();
    profile.nodes.count = 6;
    profile.nodes.cpu_milli = profile.nodes.cpu_milli.max(8_000);
    profile.nodes.memory_mib = profile.nodes.memory_mib.max(32_768);
    profile.nodes.pods = 58;
    Cluster::embedded()
        .custom_profile(profile)
        .seed(1)
        .start()
        .await
        .unwrap()
}

/// How many of an application's workloads are ready, of how many, as the API shows them.
async fn ready(cluster: &Cluster, undeployed: &Undeployed) -> (usize, usize) {
    let manifest = undeployed.manifest();
    let (mut done, mut all) = (0, 0);
    for object in manifest
        .objects
        .iter()
        .filter(|it| WORKLOADS.contains(&it.kind.as_str()))
    {
        let (group, version) = object.group_version();
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            plural: format!("{}s", object.kind.to_lowercase()),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), manifest.namespace_of(object), &resource);
        all += 1;
        let Ok(Some(found)) = api.get_opt(&object.name).await else {
            // A Job may be removed when it is done.
            done += usize::from(object.kind == "Job");
            continue;
        };
        let status = &found.data["status"];
        let count = |field: &str| status[field].as_i64().unwrap_or(0);
        let replicas = found.data["spec"]["replicas"].as_i64().unwrap_or(1);
        done += usize::from(match object.kind.as_str() {
            "Deployment" | "ReplicaSet" => count("availableReplicas") >= replicas,
            "StatefulSet" => count("readyReplicas") >= replicas,
            "DaemonSet" => count("numberReady") > 0 && count("numberReady") >= count("desiredNumberScheduled"),
            "Job" => count("succeeded") >= found.data["spec"]["completions"].as_i64().unwrap_or(1),
            _ => status["phase"] == "Running" || status["phase"] == "Succeeded",
        });
    }
    (done, all)
}

/// Deploys an application and takes a node from it.
async fn attempt(path: &Path, profile: &str) -> Row {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let undeployed = App::from_manifest(path).unwrap().assume_default_model();
    let kinds = undeployed.manifest().kinds();
    let mut row = Row {
        name: format!("{name} ({profile})"),
        objects: format!("{} of {} kinds", undeployed.manifest().objects.len(), kinds.len()),
        ready: String::new(),
        verdict: String::new(),
        why: String::new(),
        not_modelled: Vec::new(),
    };
    let cluster = cluster(profile).await;
    let deployed = undeployed.clone().deploy(&cluster).await;
    let (done, all) = ready(&cluster, &undeployed).await;
    row.ready = format!("{done}/{all}");
    row.not_modelled = cluster.not_modelled().unwrap();
    if !matches!(&deployed, Err(AppError::Refused { .. } | AppError::UnknownKind { .. })) {
        assert_every_object_is_accounted_for(&undeployed, &row.not_modelled);
    }
    let app = match deployed {
        Ok(app) => app,
        Err(AppError::NotReady { waiting, .. }) => {
            // What is not ready is said with a reason.
            assert!(waiting.iter().any(|line| line.contains(": ")), "{name}: {waiting:?}");
            return row.ends("not ready", waiting.join("; "));
        }
        Err(error) => return row.ends("refused", chain(&error)),
    };
    let Ok(subject) = app.journey(DEFAULT) else {
        return row.ends("no entry", "no Service leads to pods");
    };
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(cluster.client(), app.namespace());
    let victim = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .find_map(|pod| pod.spec?.node_name);
    let Some(victim) = victim else {
        return row.ends("no pods", "nothing runs in the namespace that the journey enters");
    };
    let report = Experiment::new("public")
        .hypothesis(subject.recovers_within(60.secs()))
        .fault(NodeFailure::kill().name(&victim))
        .observe_for(5.mins())
        .run(&cluster)
        .await
        .unwrap();
    let header = &report.history().header;
    let entered = format!("entered by {}", header.journeys[0].path.join(" → "));
    let why = [vec![entered], report.judgement().reasons.clone()].concat().join("; ");
    assert_eq!(header.not_modelled, row.not_modelled);
    row.ends(report.verdict().name(), why)
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Each object is of a kind that acts, or is listed as a whole: nothing is passed over in silence.
fn assert_every_object_is_accounted_for(undeployed: &Undeployed, listed: &[String]) {
    let whole: BTreeSet<&str> = listed
        .iter()
        .filter_map(|line| line.strip_suffix(": the whole kind"))
        .collect();
    let mut silent: BTreeMap<&str, &str> = BTreeMap::new();
    for object in &undeployed.manifest().objects {
        let this = format!("{}/{}", object.kind, object.name);
        let acts = steadfast::simulation::objects::resources::RESOURCES
            .iter()
            .any(|it| it.kind == object.kind && it.modelled && it.group == object.group_version().0);
        if !acts && !whole.contains(this.as_str()) {
            silent.insert(&object.kind, &object.name);
        }
    }
    assert_eq!(silent, BTreeMap::new(), "neither modelled nor listed");
}

#[tokio::test]
#[ignore = "needs other people's manifests: fill a folder as docs/public-manifests.md says and name it in STEADFAST_PUBLIC_MANIFESTS"]
async fn applications_that_nobody_here_wrote_become_ready_or_say_why_and_get_a_verdict() {
    let folder = std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} names no folder"));
    let mut rows = Vec::new();
    for path in applications(Path::new(&folder)) {
        for profile in ["kind", "eks-workshop"] {
            rows.push(attempt(&path, profile).await);
        }
    }
    let mut table = String::from(
        "| application | objects | workloads ready | verdict | why | not modelled |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in &rows {
        writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            row.name,
            row.objects,
            row.ready,
            row.verdict,
            row.why,
            steadfast::analysis::figures::by_field(&row.not_modelled).join("; "),
        )
        .unwrap();
    }
    println!("{table}");
    assert!(rows.iter().all(|row| !row.verdict.is_empty()));
}
