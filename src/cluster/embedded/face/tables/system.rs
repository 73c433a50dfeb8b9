//! Nodes, namespaces, events and what else a cluster is run with.

use serde_json::Value;

use super::Printer;
use super::columns::{AGE, NAME, column, date};
use super::look::{Look, none_if_empty};

/// Resources that Kubernetes has no printer for (`k8s.io/apiserver/pkg/registry/rest/table.go`).
pub(super) const PLAIN: Printer = Printer {
    columns: &[NAME, date("Created At")],
    cells: |it| vec![it.name(), it.text("/metadata/creationTimestamp").into()],
};

/// Custom resources (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`), columns of their own aside.
pub(super) const CUSTOM: Printer = Printer {
    columns: &[NAME, date("Age")],
    cells: |it| vec![it.name(), it.age()],
};

pub(super) const NAME_AND_AGE: Printer = Printer {
    columns: &[NAME, AGE],
    cells: |it| vec![it.name(), it.age()],
};

pub(super) const NODES: Printer = Printer {
    columns: &[
        NAME,
        column("Status"),
        column("Roles"),
        AGE,
        column("Version"),
        column("Internal-IP").wide(),
        column("External-IP").wide(),
        column("OS-Image").wide(),
        column("Kernel-Version").wide(),
        column("Container-Runtime").wide(),
    ],
    cells: |it| {
        let ready = it
            .items("/status/conditions")
            .find(|condition| condition.text("/type") == "Ready");
        let mut status = match ready.map(|ready| ready.text("/status")) {
            None => "Unknown",
            Some("True") => "Ready",
            Some(_) => "NotReady",
        }
        .to_owned();
        if it.is_true("/spec/unschedulable") {
            status.push_str(",SchedulingDisabled");
        }
        let info = it.at("/status/nodeInfo");
        let mut kernel = info.text_or("/kernelVersion", "<unknown>").to_owned();
        let architecture = info.text("/architecture");
        if !architecture.is_empty() {
            kernel = format!("{kernel} ({architecture})");
        }
        vec![
            it.name(),
            status.into(),
            roles(*it).into(),
            it.age(),
            info.text("/kubeletVersion").into(),
            address(*it, "InternalIP"),
            address(*it, "ExternalIP"),
            info.text_or("/osImage", "<unknown>").into(),
            kernel.into(),
            info.text_or("/containerRuntimeVersion", "<unknown>").into(),
        ]
    },
};

pub(super) const NAMESPACES: Printer = Printer {
    columns: &[NAME, column("Status"), AGE],
    cells: |it| vec![it.name(), it.text("/status/phase").into(), it.age()],
};

pub(super) const EVENTS: Printer = Printer {
    columns: &[
        column("Last Seen"),
        column("Type"),
        column("Reason"),
        column("Object"),
        column("Subobject").wide(),
        column("Source").wide(),
        column("Message"),
        column("First Seen").wide(),
        column("Count").wide(),
        NAME.wide(),
    ],
    cells: |it| {
        let first = match it.date("/firstTimestamp") {
            None => it.since("/eventTime"),
            Some(date) => it.since_date(date),
        };
        let is_series = !it.at("/series").is_absent();
        let last = match it.date("/lastTimestamp") {
            _ if is_series => it.since("/series/lastObservedTime"),
            None => first.clone(),
            Some(date) => it.since_date(date),
        };
        let count = if is_series {
            it.number("/series/count")
        } else {
            it.number("/count").max(1)
        };
        let about = it.at("/involvedObject");
        let (kind, name) = (about.text("/kind").to_lowercase(), about.text("/name"));
        let target = if name.is_empty() {
            kind
        } else {
            format!("{kind}/{name}")
        };
        let component = it.text_or("/source/component", it.text("/reportingComponent"));
        let source = match it.text_or("/source/host", it.text("/reportingInstance")) {
            "" => component.to_owned(),
            host => format!("{component}, {host}"),
        };
        vec![
            last.into(),
            it.text("/type").into(),
            it.text("/reason").into(),
            target.into(),
            about.text("/fieldPath").into(),
            source.into(),
            it.text("/message").trim().into(),
            first.into(),
            count.into(),
            it.name(),
        ]
    },
};

pub(super) const CONFIG_MAPS: Printer = Printer {
    columns: &[NAME, column("Data"), AGE],
    cells: |it| {
        let size = |path| it.map(path).map_or(0, serde_json::Map::len);
        vec![it.name(), (size("/data") + size("/binaryData")).into(), it.age()]
    },
};

pub(super) const SECRETS: Printer = Printer {
    columns: &[NAME, column("Type"), column("Data"), AGE],
    cells: |it| {
        let size = it.map("/data").map_or(0, serde_json::Map::len);
        vec![it.name(), it.text("/type").into(), size.into(), it.age()]
    },
};

pub(super) const RESOURCE_QUOTAS: Printer = Printer {
    columns: &[NAME, column("Request"), column("Limit"), AGE],
    cells: |it| {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        let text = |value: Option<&Value>| match value {
            None => "0".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let used = it.map("/status/used");
        for (resource, hard) in it.map("/status/hard").into_iter().flatten() {
            let used = text(used.and_then(|used| used.get(resource)));
            let line = format!("{resource}: {used}/{}", text(Some(hard)));
            if resource.starts_with("limits.") {
                limits.push(line);
            } else {
                requests.push(line);
            }
        }
        vec![
            it.name(),
            requests.join(", ").into(),
            limits.join(", ").into(),
            it.age(),
        ]
    },
};

pub(super) const LEASES: Printer = Printer {
    columns: &[NAME, column("Holder"), AGE],
    cells: |it| vec![it.name(), it.text("/spec/holderIdentity").into(), it.age()],
};

pub(super) const PRIORITY_CLASSES: Printer = Printer {
    columns: &[
        NAME,
        column("Value").number(),
        column("Global-Default").switch(),
        AGE,
        column("PreemptionPolicy"),
    ],
    cells: |it| {
        vec![
            it.name(),
            it.number("/value").into(),
            it.is_true("/globalDefault").into(),
            it.age(),
            it.text("/preemptionPolicy").into(),
        ]
    },
};

pub(super) const ROLE_BINDINGS: Printer = Printer {
    columns: &[
        NAME,
        column("Role"),
        AGE,
        column("Users").wide(),
        column("Groups").wide(),
        column("ServiceAccounts").wide(),
    ],
    cells: |it| {
        let subjects = |kind: &str| -> Value {
            let names: Vec<String> = it
                .items("/subjects")
                .filter(|subject| subject.text("/kind") == kind)
                .map(|subject| match subject.text("/namespace") {
                    namespace if kind == "ServiceAccount" => format!("{namespace}/{}", subject.text("/name")),
                    _ => subject.text("/name").to_owned(),
                })
                .collect();
            names.join(", ").into()
        };
        vec![
            it.name(),
            format!("{}/{}", it.text("/roleRef/kind"), it.text("/roleRef/name")).into(),
            it.age(),
            subjects("User"),
            subjects("Group"),
            subjects("ServiceAccount"),
        ]
    },
};

pub(super) const CONTROLLER_REVISIONS: Printer = Printer {
    columns: &[NAME, column("Controller"), column("Revision"), AGE],
    cells: |it| {
        let owner = it
            .items("/metadata/ownerReferences")
            .find(|owner| owner.is_true("/controller"));
        let owner = owner.map(|owner| {
            let group = owner.text("/apiVersion").split_once('/').map(|(group, _)| group);
            let kind = owner.text("/kind").to_lowercase();
            let kind = group.map_or_else(|| kind.clone(), |group| format!("{kind}.{group}"));
            format!("{kind}/{}", owner.text("/name"))
        });
        vec![
            it.name(),
            owner.unwrap_or_else(|| "<none>".to_owned()).into(),
            it.number("/revision").into(),
            it.age(),
        ]
    },
};

/// The roles that a node's labels give it (`findNodeRoles`).
fn roles(it: Look) -> String {
    let mut roles: Vec<&str> = it
        .map("/metadata/labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.as_str() {
            "kubernetes.io/role" => value.as_str(),
            key => key.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    none_if_empty(roles.join(","))
}

fn address(it: Look, kind: &str) -> Value {
    it.items("/status/addresses")
        .find(|address| address.text("/type") == kind)
        .map_or("<none>", |address| address.text("/address"))
        .into()
}
