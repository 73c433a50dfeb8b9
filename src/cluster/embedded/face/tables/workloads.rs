//! What makes pods, and what watches over their number.

use serde_json::Value;

use super::Printer;
use super::columns::{AGE, CONTAINERS, IMAGES, NAME, SELECTOR, column};
use super::look::{Look, duration};
use super::selector;

const CONTAINER_PATH: &str = "/spec/template/spec/containers";

pub(super) const DEPLOYMENTS: Printer = Printer {
    columns: &[
        NAME,
        column("Ready"),
        column("Up-to-date"),
        column("Available"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |it| {
        let [names, images] = it.containers(CONTAINER_PATH);
        vec![
            it.name(),
            ready(*it),
            it.number("/status/updatedReplicas").into(),
            it.number("/status/availableReplicas").into(),
            it.age(),
            names,
            images,
            selector::bare(*it, "/spec/selector").into(),
        ]
    },
};

pub(super) const REPLICA_SETS: Printer = Printer {
    columns: &[
        NAME,
        column("Desired").number(),
        column("Current").number(),
        column("Ready").number(),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |it| [replicas(*it), vec![selector::cell(*it, "/spec/selector")]].concat(),
};

pub(super) const REPLICATION_CONTROLLERS: Printer = Printer {
    columns: REPLICA_SETS.columns,
    cells: |it| [replicas(*it), vec![it.labels("/spec/selector").into()]].concat(),
};

pub(super) const DAEMON_SETS: Printer = Printer {
    columns: &[
        NAME,
        column("Desired").number(),
        column("Current").number(),
        column("Ready").number(),
        column("Up-to-date").number(),
        column("Available").number(),
        column("Node Selector"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |it| {
        let [names, images] = it.containers(CONTAINER_PATH);
        vec![
            it.name(),
            it.number("/status/desiredNumberScheduled").into(),
            it.number("/status/currentNumberScheduled").into(),
            it.number("/status/numberReady").into(),
            it.number("/status/updatedNumberScheduled").into(),
            it.number("/status/numberAvailable").into(),
            it.labels("/spec/template/spec/nodeSelector").into(),
            it.age(),
            names,
            images,
            selector::cell(*it, "/spec/selector"),
        ]
    },
};

pub(super) const STATEFUL_SETS: Printer = Printer {
    columns: &[NAME, column("Ready"), AGE, CONTAINERS, IMAGES],
    cells: |it| {
        let [names, images] = it.containers(CONTAINER_PATH);
        vec![it.name(), ready(*it), it.age(), names, images]
    },
};

pub(super) const JOBS: Printer = Printer {
    columns: &[
        NAME,
        column("Status"),
        column("Completions"),
        column("Duration"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |it| {
        const CONDITIONS: [(&str, &str); 2] = [("Complete", "Complete"), ("Failed", "Failed")];
        const LATER: [(&str, &str); 3] = [
            ("Suspended", "Suspended"),
            ("FailureTarget", "FailureTarget"),
            ("SuccessCriteriaMet", "SuccessCriteriaMet"),
        ];
        let of = |conditions: &[(&'static str, &'static str)]| {
            let met = conditions.iter().find(|(kind, _)| it.condition(kind, "True"));
            met.map(|(_, status)| *status)
        };
        let is_ending = !it.at("/metadata/deletionTimestamp").is_absent();
        let status = of(&CONDITIONS)
            .or(is_ending.then_some("Terminating"))
            .or_else(|| of(&LATER))
            .unwrap_or("Running");
        let succeeded = it.number("/status/succeeded");
        let completions = match (it.at("/spec/completions").is_absent(), it.number("/spec/parallelism")) {
            (false, _) => format!("{succeeded}/{}", it.number("/spec/completions")),
            (true, parallel) if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
            (true, _) => format!("{succeeded}/1"),
        };
        let length = match (it.date("/status/startTime"), it.date("/status/completionTime")) {
            (None, _) => String::new(),
            (Some(start), None) => it.since_date(start),
            (Some(start), Some(end)) => duration(end - start),
        };
        let [names, images] = it.containers(CONTAINER_PATH);
        vec![
            it.name(),
            status.into(),
            completions.into(),
            length.into(),
            it.age(),
            names,
            images,
            selector::cell(*it, "/spec/selector"),
        ]
    },
};

pub(super) const CRON_JOBS: Printer = Printer {
    columns: &[
        NAME,
        column("Schedule"),
        column("Timezone"),
        column("Suspend").switch(),
        column("Active").number(),
        column("Last Schedule"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |it| {
        let suspend = match it.at("/spec/suspend").value().as_bool() {
            None => "<unset>",
            Some(true) => "True",
            Some(false) => "False",
        };
        let last = if it.at("/status/lastScheduleTime").is_absent() {
            "<none>".to_owned()
        } else {
            it.since("/status/lastScheduleTime")
        };
        let [names, images] = it.containers("/spec/jobTemplate/spec/template/spec/containers");
        vec![
            it.name(),
            it.text("/spec/schedule").into(),
            it.text_or("/spec/timeZone", "<none>").into(),
            suspend.into(),
            it.items("/status/active").len().into(),
            last.into(),
            it.age(),
            names,
            images,
            selector::cell(*it, "/spec/jobTemplate/spec/selector"),
        ]
    },
};

pub(super) const HORIZONTAL_POD_AUTOSCALERS: Printer = Printer {
    columns: &[
        NAME,
        column("Reference"),
        column("Targets"),
        column("MinPods"),
        column("MaxPods"),
        column("Replicas"),
        AGE,
    ],
    cells: |it| {
        let least = if it.at("/spec/minReplicas").is_absent() {
            "<unset>".to_owned()
        } else {
            it.number("/spec/minReplicas").to_string()
        };
        let (kind, name) = (
            it.text("/spec/scaleTargetRef/kind"),
            it.text("/spec/scaleTargetRef/name"),
        );
        vec![
            it.name(),
            format!("{kind}/{name}").into(),
            targets(*it).into(),
            least.into(),
            it.number("/spec/maxReplicas").into(),
            it.number("/status/currentReplicas").into(),
            it.age(),
        ]
    },
};

pub(super) const POD_DISRUPTION_BUDGETS: Printer = Printer {
    columns: &[
        NAME,
        column("Min Available"),
        column("Max Unavailable"),
        column("Allowed Disruptions").number(),
        AGE,
    ],
    cells: |it| {
        let bound = |path| match it.either(path) {
            absent if absent.is_empty() => "N/A".into(),
            bound => Value::from(bound),
        };
        vec![
            it.name(),
            bound("/spec/minAvailable"),
            bound("/spec/maxUnavailable"),
            it.number("/status/disruptionsAllowed").into(),
            it.age(),
        ]
    },
};

fn ready(it: Look) -> Value {
    format!("{}/{}", it.number("/status/readyReplicas"), it.number("/spec/replicas")).into()
}

fn replicas(it: Look) -> Vec<Value> {
    let [names, images] = it.containers(CONTAINER_PATH);
    vec![
        it.name(),
        it.number("/spec/replicas").into(),
        it.number("/status/replicas").into(),
        it.number("/status/readyReplicas").into(),
        it.age(),
        names,
        images,
    ]
}

/// The metrics of an autoscaler, now and as they should be: two of them, and how many more there are (`formatHPAMetrics`).
fn targets(it: Look) -> String {
    const SHOWN: usize = 2;
    let metrics = it.items("/spec/metrics").enumerate().map(|(index, metric)| {
        let now = it.at(&format!("/status/currentMetrics/{index}"));
        let known = |value: String| Some(value).filter(|value| !value.is_empty());
        let (source, named) = match metric.text("/type") {
            "External" => ("external", false),
            "Pods" => ("pods", false),
            "Object" => ("object", false),
            "Resource" => ("resource", true),
            "ContainerResource" => ("containerResource", true),
            _ => return "<unknown type>".to_owned(),
        };
        let (target, current) = (
            metric.at(&format!("/{source}/target")),
            now.at(&format!("/{source}/current")),
        );
        let name = metric.text(&format!("/{source}/name"));
        let unknown = || "<unknown>".to_owned();
        let average = known(target.either("/averageValue"));
        if named {
            let (current, target) = match average {
                Some(target) => (known(current.either("/averageValue")), target),
                None => (
                    known(current.either("/averageUtilization")).map(|share| share + "%"),
                    known(target.either("/averageUtilization"))
                        .map_or_else(|| "<auto>".to_owned(), |share| share + "%"),
                ),
            };
            return format!("{name}: {}/{target}", current.unwrap_or_else(unknown));
        }
        if let Some(target) = average {
            let current = known(current.either("/averageValue")).unwrap_or_else(unknown);
            let mark = if source == "pods" { "" } else { " (avg)" };
            format!("{current}/{target}{mark}")
        } else {
            let current = known(current.either("/value")).unwrap_or_else(unknown);
            format!("{current}/{}", target.either("/value"))
        }
    });
    let all: Vec<String> = metrics.collect();
    match all.len() {
        0 => "<none>".to_owned(),
        many if many > SHOWN => format!("{} + {} more...", all[..SHOWN].join(", "), many - SHOWN),
        _ => all.join(", "),
    }
}
