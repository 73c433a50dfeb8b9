//! Usage: the metrics server's samples, and how many pods they call for.
//!
//! Source: pkg/controller/podautoscaler/replica_calculator.go (`GetResourceReplicas`, `calcPlainMetricReplicas`, `groupPods`);
//! metrics-server: `--metric-resolution` 15 s, usage between the last two scrapes.

use std::collections::BTreeMap;

use super::Proposal;
use crate::model::time::{Span, Time};
use crate::simulation::control::pod_autoscaler::PodAutoscaler;
use crate::simulation::event::Event;
use crate::simulation::fabric::PodId;
use crate::simulation::objects::autoscaling::Metric;
use crate::simulation::objects::parse::TOLERANCE;
use crate::simulation::objects::pod::Phase;
use crate::simulation::world::World;

/// Between two scrapes: metrics-server's `--metric-resolution`, as its manifest sets it.
pub(super) const RESOLUTION: Span = Span::secs(15);
/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
const INITIALIZATION: Span = Span::secs(300);
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const READINESS_DELAY: Span = Span::secs(30);

/// The last scrapes of the pods that autoscalers look at.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    running: bool,
    /// By pod: the last scrape and the one before, with the CPU time used until then in microseconds.
    pods: BTreeMap<u32, [Option<(Time, u64)>; 2]>,
}

impl Samples {
    /// Whether the rounds have to be started.
    pub(super) fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.running, true)
    }
}

/// Pods by what their metrics are worth.
#[derive(Default)]
struct Groups {
    /// Usage in thousandths of a core, by pod.
    metrics: BTreeMap<u32, u64>,
    ready: u64,
    unready: Vec<u32>,
    missing: Vec<u32>,
}

impl World {
    /// The metrics server's round: it asks the kubelets of the pods that an autoscaler looks at. (It asks all; nobody sees it.)
    pub(in crate::simulation) fn scrape(&mut self) {
        if self.store.pod_autoscalers.is_empty() {
            self.scaling.samples = Samples::default();
            return;
        }
        self.after(RESOLUTION, Event::Scrape);
        let mut seen = BTreeMap::new();
        let autoscalers: Vec<_> = self.store.pod_autoscalers.iter().map(|(_, it)| it.clone()).collect();
        for it in autoscalers {
            let Some((row, _)) = self.scale_of_target(&it.meta, &it.body) else {
                continue;
            };
            for pod in self.pods_of_target(&it.body.kind, row) {
                let Some(machine) = self.store.pod(pod).and_then(|row| row.body.node) else {
                    continue;
                };
                let before = self.scaling.samples.pods.get(&pod).copied().unwrap_or_default();
                // A kubelet that does not answer gives nothing; old values are not served again.
                let runs = self.kubelet_runs(machine)
                    && self.store.pod(pod).is_some_and(|row| row.body.phase == Phase::Running);
                if runs {
                    let used = self.network.cpu_used(PodId(pod));
                    seen.insert(pod, [Some((self.now, used)), before[0]]);
                }
            }
        }
        self.scaling.samples.pods = seen;
    }

    /// A pod's usage in thousandths of a core, and the time of the scrape.
    fn usage(&self, pod: u32) -> Option<(u64, Time)> {
        let [last, before] = self.scaling.samples.pods.get(&pod)?;
        let ((at, used), (since, used_before)) = ((*last)?, (*before)?);
        let span = at.since(since).0.max(1);
        Some((used.saturating_sub(used_before) * 1_000 / span, at))
    }

    /// `groupPods`.
    fn group(&self, pods: &[u32]) -> Groups {
        let mut groups = Groups::default();
        for &pod in pods {
            let Some(row) = self.store.pod(pod) else { continue };
            if row.meta.deletion.is_some() || row.body.is_finished() {
                continue;
            }
            if row.body.phase == Phase::Pending {
                groups.unready.push(pod);
                continue;
            }
            let Some((milli, at)) = self.usage(pod) else {
                groups.missing.push(pod);
                continue;
            };
            let unready = match (row.body.ready, row.body.started) {
                (Some((ready, since)), Some(started)) => {
                    if started + INITIALIZATION > self.now {
                        !ready || at < since + RESOLUTION
                    } else {
                        !ready && started + READINESS_DELAY > since
                    }
                }
                _ => true,
            };
            if unready {
                groups.unready.push(pod);
            } else {
                groups.ready += 1;
                groups.metrics.insert(pod, milli);
            }
        }
        groups
    }

    /// How many pods a metric calls for.
    pub(super) fn propose(
        &self,
        pods: &[u32],
        it: &PodAutoscaler,
        metric: &Metric,
        current: u32,
    ) -> Result<Proposal, String> {
        let mut groups = self.group(pods);
        if groups.metrics.is_empty() {
            return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
        }
        let request = |pod: u32| {
            self.store
                .pod(pod)
                .map_or(0, |row| row.body.template.requests.cpu_milli)
        };
        let utilization = matches!(metric, Metric::Utilization(_));
        if utilization && let Some(pod) = pods.iter().find(|&&pod| request(pod) == 0) {
            let row = self.store.pod(*pod);
            let container = row.and_then(|row| Some(row.body.template.containers.first()?.name.clone()));
            return Err(format!(
                "missing request for cpu in container {} of Pod {}",
                container.unwrap_or_default(),
                row.map(|row| row.meta.name.to_string()).unwrap_or_default()
            ));
        }
        let ratio = |metrics: &BTreeMap<u32, u64>| -> (u64, u64) {
            let total: u64 = metrics.values().sum();
            match *metric {
                Metric::Utilization(target) => {
                    let requests: u64 = metrics.keys().map(|&pod| request(pod)).sum();
                    (total * 100 / requests.max(1), u64::from(target))
                }
                Metric::Average(target) => (total / metrics.len().max(1) as u64, target),
                Metric::Unknown(_) => (0, 1),
            }
        };
        let first = ratio(&groups.metrics);
        let average = groups.metrics.values().sum::<u64>() / groups.metrics.len() as u64;
        let proposal = |replicas: u32| Proposal {
            replicas,
            current: (utilization.then_some(first.0 as u32), average),
            name: if utilization {
                "cpu resource utilization (percentage of request)"
            } else {
                "cpu resource"
            },
        };
        let grows = first.0 > first.1;
        let with_unready = grows && !groups.unready.is_empty();
        if !with_unready && groups.missing.is_empty() {
            return Ok(proposal(if tolerated(it, first) {
                current
            } else {
                ceil(first, groups.ready)
            }));
        }
        // Missing ones are taken to use all of their target when it shrinks, and nothing when it grows.
        for pod in std::mem::take(&mut groups.missing) {
            let assumed = match *metric {
                _ if grows => 0,
                Metric::Utilization(target) => request(pod) * u64::from(target.max(100)) / 100,
                Metric::Average(target) => target,
                Metric::Unknown(_) => 0,
            };
            groups.metrics.insert(pod, assumed);
        }
        if with_unready {
            for pod in std::mem::take(&mut groups.unready) {
                groups.metrics.insert(pod, 0);
            }
        }
        let second = ratio(&groups.metrics);
        let turned = grows != (second.0 > second.1);
        if tolerated(it, second) || turned {
            return Ok(proposal(current));
        }
        let replicas = ceil(second, groups.metrics.len() as u64);
        let wrong = if second.0 < second.1 {
            replicas > current
        } else {
            replicas < current
        };
        Ok(proposal(if wrong { current } else { replicas }))
    }
}

/// Whether usage is near enough to its target (`Tolerances.isWithin`).
fn tolerated(it: &PodAutoscaler, (usage, target): (u64, u64)) -> bool {
    let rules = it.behavior.as_ref();
    let tolerance = match rules {
        Some(behavior) if usage > target => behavior.up.tolerance,
        Some(behavior) => behavior.down.tolerance,
        None => TOLERANCE,
    };
    usage.abs_diff(target) * 1_000_000 <= target * tolerance
}

/// So many times the pods as usage is the target, rounded up.
fn ceil((usage, target): (u64, u64), pods: u64) -> u32 {
    u32::try_from((usage * pods).div_ceil(target.max(1))).unwrap_or(u32::MAX)
}
