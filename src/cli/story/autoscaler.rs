//! The workshop's fifth step: is the Cluster Autoscaler installed, and is it well? Asked of the Kubernetes API alone.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};

use crate::analysis::figures::counted;
use crate::cli::error::CliError;
use crate::cluster::Cluster;

/// Where it runs.
const NAMESPACE: &str = "kube-system";
/// Its pod, as in `kubectl -n kube-system logs -l app.kubernetes.io/name=aws-cluster-autoscaler`.
const LABEL: &str = "app.kubernetes.io/name=aws-cluster-autoscaler";
/// What it writes about itself (cluster-autoscaler, `--status-config-map-name`).
const STATUS: &str = "cluster-autoscaler-status";

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Sentences with whether they speak for it.
    pub findings: Vec<(bool, String)>,
}

impl Check {
    /// Asks.
    ///
    /// # Errors
    /// When the API does not answer. What is not there is a finding.
    pub async fn of(cluster: &Cluster) -> Result<Self, CliError> {
        let pods: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
        let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), NAMESPACE);
        let failed = |what| {
            move |source| CliError::Api {
                what,
                source: Box::new(source),
            }
        };
        let mut findings = Vec::new();
        let found = pods
            .list(&ListParams::default().labels(LABEL))
            .await
            .map_err(failed("the Cluster Autoscaler's pod"))?;
        if found.items.is_empty() {
            findings.push((false, format!("no pod in {NAMESPACE} has the label {LABEL}")));
        }
        for pod in &found {
            let name = pod.name_any();
            let ready = is_ready(pod);
            findings.push((
                ready,
                format!("{name} is {}", if ready { "Ready" } else { "not Ready" }),
            ));
            findings.push(match pods.logs(&name, &LogParams::default()).await {
                Ok(log) => judge_log(&log),
                Err(kube::Error::Api(status)) => (false, format!("it has no log: {}", status.message)),
                Err(error) => return Err(failed("the Cluster Autoscaler's log")(error)),
            });
        }
        let status = maps
            .get_opt(STATUS)
            .await
            .map_err(failed("the ConfigMap of its status"))?;
        findings.push(judge_status(status.as_ref()));
        Ok(Self { findings })
    }

    /// Whether all is well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|(well, _)| *well)
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// klog begins a line with its severity: `E` and `F` are errors.
fn judge_log(log: &str) -> (bool, String) {
    let errors: Vec<&str> = log.lines().filter(|line| line.starts_with(['E', 'F'])).collect();
    match errors.first() {
        None => (
            true,
            format!(
                "its log has {} and no error",
                counted(log.lines().count() as u64, "line")
            ),
        ),
        Some(first) => (
            false,
            format!("its log has {}: {first}", counted(errors.len() as u64, "error line")),
        ),
    }
}

fn judge_status(status: Option<&ConfigMap>) -> (bool, String) {
    let text = status
        .and_then(|map| map.data.as_ref()?.get("status"))
        .map(String::as_str);
    let health = text
        .into_iter()
        .flat_map(str::lines)
        .find_map(|line| line.trim().strip_prefix("Health:"))
        .map(str::trim);
    match health {
        Some(health) => (health.starts_with("Healthy"), format!("ConfigMap {STATUS}: {health}")),
        None => (false, format!("no health in the ConfigMap {STATUS}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn error_lines_are_those_that_klog_marks() {
        assert!(judge_log("I 3s Scale-up: no Error\nW 4s slow\n").0);
        let (well, text) = judge_log("I 3s fine\nE 4s cannot reach the group\n");
        assert!(!well && text.contains("E 4s cannot reach the group"), "{text}");
    }

    #[test]
    fn no_status_is_not_health() {
        let status = |text: &str| ConfigMap {
            data: Some(BTreeMap::from([("status".to_owned(), text.to_owned())])),
            ..ConfigMap::default()
        };
        assert!(judge_status(Some(&status("Cluster-wide:\n  Health: Healthy (ready=3)\n"))).0);
        assert!(!judge_status(Some(&status("Cluster-wide:\n  Health: Unhealthy (ready=3)\n"))).0);
        assert!(!judge_status(Some(&status(""))).0);
        assert!(!judge_status(None).0);
    }
}
