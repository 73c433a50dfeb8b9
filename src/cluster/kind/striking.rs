//! Making nodes fail, and putting them back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use kube::api::ListParams;
use tokio::task::JoinHandle;

use super::change::{Change, Marks};
use super::joining::{self, Recipe};
use super::{KindError, Running};
use crate::cluster::observing::{Record, nodes::NodeSeen, pods};
use crate::model::fault::{Fault, Mode, NodeFailure, PodFailure, PodSelection};
use crate::model::history::{Victim, What};
use crate::model::random::Stream;
use crate::safety::journal::Seq;

/// The cloud controller looks for ended instances this often: k8s.io/cloud-provider `--node-monitor-period`.
const CLOUD_PERIOD: Duration = Duration::from_secs(5);
/// A drain asks again this often: k8s.io/kubectl, pkg/drain/drain.go `evictPods`.
const EVICT_AGAIN: Duration = Duration::from_secs(5);
/// A spot instance's notice: Amazon EC2 User Guide, Spot Instance interruption notices.
const NOTICE: Duration = Duration::from_secs(120);
/// An auto scaling group's replacement joins so long after its instance was lost; our stand-in's length, as the profile `eks-workshop`
/// takes from launch to registration.
pub const REPLACED_AFTER: Duration = Duration::from_secs(60);
/// An experiment that ends early waits no longer than this for a fault's own tasks.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// A fault on its way, or over.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(super) fault: Fault,
    /// Changes that were made and not undone, in their order, with their places in the journal.
    pub(super) made: Vec<(Seq, Change)>,
    pub(super) nodes: BTreeSet<String>,
    /// The replacements of nodes that were removed.
    pub(super) removed: BTreeMap<String, String>,
    pub(super) healed: bool,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Scope {
    const fn new(fault: Fault) -> Self {
        Self {
            fault,
            made: Vec::new(),
            nodes: BTreeSet::new(),
            removed: BTreeMap::new(),
            healed: false,
            tasks: Vec::new(),
        }
    }
}

/// The number of a scope among those of its cluster.
pub(crate) type Number = usize;

impl Running {
    /// Begins a fault on the nodes that were chosen for it. What strikes at once has struck when this returns.
    pub(crate) async fn begin(self: &Arc<Self>, fault: &Fault, nodes: Vec<String>) -> Result<Number, KindError> {
        self.refuse_unfit(fault, &nodes).await?;
        let number = {
            let mut scopes = self.scopes();
            scopes.push(Scope::new(fault.clone()));
            scopes.len() - 1
        };
        let (after, stagger) = (fault.after(), fault.stagger());
        if after.is_zero() && stagger.is_zero() {
            self.strike(number, fault, nodes).await?;
            return Ok(number);
        }
        let (running, fault) = (self.clone(), fault.clone());
        self.spawn(number, async move {
            tokio::time::sleep(after).await;
            let groups = if stagger.is_zero() {
                vec![nodes]
            } else {
                nodes.into_iter().map(|node| vec![node]).collect()
            };
            let last = groups.len();
            for (place, group) in groups.into_iter().enumerate() {
                running.strike(number, &fault, group).await?;
                if place + 1 < last {
                    tokio::time::sleep(stagger).await;
                }
            }
            Ok(())
        });
        Ok(number)
    }

    /// Refuses, before anything is touched, what cannot be done to these nodes.
    async fn refuse_unfit(&self, fault: &Fault, nodes: &[String]) -> Result<(), KindError> {
        if fault.mode().is_none() {
            return Ok(());
        }
        self.permit(nodes).await?;
        let containers = self.hands.engine.nodes(&self.hands.cluster).await?;
        for node in nodes {
            let container = containers.iter().find(|it| it.name == *node);
            let container = container.ok_or_else(|| KindError::NoContainer { node: node.clone() })?;
            if container.role() != "worker" {
                return Err(KindError::NotAWorker { node: node.clone() });
            }
            if !container.is_running() {
                return Err(KindError::NotRunning {
                    node: node.clone(),
                    state: container.state.clone(),
                });
            }
        }
        Ok(())
    }

    /// A task of a scope; how it fails is kept for the verdict.
    fn spawn(self: &Arc<Self>, number: Number, task: impl Future<Output = Result<(), KindError>> + Send + 'static) {
        let running = self.clone();
        let handle = tokio::spawn(async move {
            if let Err(error) = task.await {
                running.failed(&error);
            }
        });
        if let Some(scope) = self.scopes().get_mut(number) {
            scope.tasks.push(handle);
        }
    }

    async fn strike(self: &Arc<Self>, number: Number, fault: &Fault, nodes: Vec<String>) -> Result<(), KindError> {
        match fault {
            Fault::Nodes(failure) => self.strike_nodes(number, failure, nodes).await,
            Fault::Pods(failure) => self.strike_pods(number, failure).await,
        }
    }

    async fn strike_nodes(
        self: &Arc<Self>,
        number: Number,
        failure: &NodeFailure,
        nodes: Vec<String>,
    ) -> Result<(), KindError> {
        // What has to be looked up is, before the clock runs.
        let prepared = try_join_all(nodes.iter().map(|node| self.prepare(failure.mode, node))).await?;
        let prepared = self.name_replacements(prepared).await?;
        let victims = self.observer.record().pods.on(&nodes);
        self.note(What::Injected {
            fault: failure.mode.name().to_owned(),
            nodes: nodes.clone(),
            pods: victims.clone(),
        });
        let strikes = nodes.iter().zip(prepared).map(|(node, changes)| {
            let pods: Vec<Victim> = victims.iter().filter(|victim| victim.node == *node).cloned().collect();
            self.strike_node(number, failure, node, changes, pods)
        });
        // All are struck, whatever becomes of one: a fault that was half made has to be put back as a whole.
        let ends: Vec<Result<(), KindError>> = join_all(strikes).await;
        ends.into_iter().collect()
    }

    /// The changes that a mode makes to a node.
    async fn prepare(&self, mode: Mode, node: &str) -> Result<Vec<Change>, KindError> {
        let node = node.to_owned();
        Ok(match mode {
            Mode::Kill => vec![Change::PowerOff { node, graceful: false }],
            Mode::Stop => vec![Change::PowerOff { node, graceful: true }],
            Mode::Reboot => vec![Change::Restart { node }],
            Mode::Freeze => vec![Change::Pause { node }],
            Mode::Isolate => vec![Change::Disconnect { node }],
            Mode::KubeletStop => vec![Change::StopKubelet { node }],
            Mode::Drain => {
                let seen = self.observer.record().nodes.get(&node).is_some_and(|it| it.cordoned);
                if seen {
                    Vec::new()
                } else {
                    vec![Change::Cordon { node }]
                }
            }
            Mode::Delete => {
                let was = Marks::of(&self.hands.nodes().get(&node).await?);
                vec![Change::DeleteObject { node, was }]
            }
            Mode::Terminate | Mode::Remove | Mode::Interrupt => {
                let container = self.hands.engine.inspect(&node).await?;
                let container = container.ok_or_else(|| KindError::NoContainer { node: node.clone() })?;
                let marks = Marks::of(&self.hands.nodes().get(&node).await?);
                let recipe = Recipe::of(&container, marks);
                vec![Change::Remove {
                    node,
                    replacement: String::new(),
                    recipe,
                }]
            }
        })
    }

    /// Gives every replacement a name that no node has had.
    async fn name_replacements(&self, mut all: Vec<Vec<Change>>) -> Result<Vec<Vec<Change>>, KindError> {
        if !all
            .iter()
            .flatten()
            .any(|change| matches!(change, Change::Remove { .. }))
        {
            return Ok(all);
        }
        let there = self.hands.engine.nodes(&self.hands.cluster).await?;
        let mut names = self.names();
        names.extend(there.into_iter().map(|container| container.name));
        for change in all.iter_mut().flatten() {
            if let Change::Remove { replacement, .. } = change {
                *replacement = joining::next_name(&self.hands.cluster, names.iter().map(String::as_str));
                names.insert(replacement.clone());
            }
        }
        Ok(all)
    }

    async fn strike_node(
        self: &Arc<Self>,
        number: Number,
        failure: &NodeFailure,
        node: &str,
        changes: Vec<Change>,
        pods: Vec<Victim>,
    ) -> Result<(), KindError> {
        if let Some(scope) = self.scopes().get_mut(number) {
            scope.nodes.insert(node.to_owned());
        }
        if failure.mode == Mode::Interrupt {
            self.note(What::InterruptionNotice { node: node.to_owned() });
            let (running, node) = (self.clone(), node.to_owned());
            self.spawn(number, async move {
                tokio::time::sleep(NOTICE).await;
                running.make_all(number, Mode::Interrupt, &node, changes).await
            });
            return Ok(());
        }
        self.make_all(number, failure.mode, node, changes).await?;
        if failure.mode == Mode::Drain {
            let (running, node) = (self.clone(), node.to_owned());
            self.spawn(number, async move { running.drain(&node, pods).await });
        }
        if let Some(length) = failure.return_after {
            let (running, node) = (self.clone(), node.to_owned());
            self.spawn(number, async move {
                tokio::time::sleep(length).await;
                running.put_back(number, &node).await
            });
        }
        Ok(())
    }

    async fn make_all(
        self: &Arc<Self>,
        number: Number,
        mode: Mode,
        node: &str,
        changes: Vec<Change>,
    ) -> Result<(), KindError> {
        for change in changes {
            if matches!(change, Change::DeleteObject { .. }) || mode == Mode::Remove {
                self.observer.record().will_delete_node(node, "fault");
            }
            let place = self.intend(&change)?;
            if let Some(scope) = self.scopes().get_mut(number) {
                scope.made.push((place, change.clone()));
                if let Change::Remove { node, replacement, .. } = &change {
                    scope.removed.insert(node.clone(), replacement.clone());
                }
            }
            self.hands.make(&change).await?;
            if mode == Mode::Remove {
                self.hands.delete_object(node).await?;
            }
            self.done(place);
            self.note_state(node, &change).await?;
            if matches!(change, Change::Remove { .. }) {
                let (running, node) = (self.clone(), node.to_owned());
                self.spawn(number, async move {
                    running.look_after_removed(number, mode, &node, place, change).await
                });
            }
        }
        Ok(())
    }

    /// Looks at the node from below Kubernetes, and notes what is seen there: no fault counts because it was asked for.
    async fn note_state(&self, node: &str, change: &Change) -> Result<(), KindError> {
        let engine = &self.hands.engine;
        let impaired = |how: &str| What::MachineImpaired {
            node: node.to_owned(),
            how: how.to_owned(),
        };
        let lost = || What::MachineLost { node: node.to_owned() };
        let back = || What::MachineBack {
            node: node.to_owned(),
            how: "powered-on".to_owned(),
        };
        let container = engine.inspect(node).await?;
        let state = container.as_ref().map_or("gone", |it| it.state.as_str());
        match change {
            Change::PowerOff { .. } if state == "exited" => self.note(lost()),
            Change::Remove { .. } if state == "gone" => self.note(lost()),
            Change::Restart { .. } if state == "running" => {
                self.note(lost());
                self.note(back());
            }
            Change::Pause { .. } if state == "paused" => self.note(impaired("frozen")),
            Change::Disconnect { .. }
                if container
                    .as_ref()
                    .is_some_and(|it| !it.networks.contains_key(super::change::NETWORK)) =>
            {
                self.note(impaired("isolated"));
            }
            Change::StopKubelet { .. } => {
                // `is-active` fails for what is not: its words count.
                let said = engine
                    .exec(node, &["sh", "-c", "systemctl is-active kubelet || true"])
                    .await?;
                if said.trim() != "active" {
                    self.note(impaired("kubelet-stopped"));
                }
            }
            // The watch sees these.
            Change::Cordon { .. }
            | Change::DeleteObject { .. }
            | Change::DeletePod { .. }
            | Change::CreateNamespace { .. }
            | Change::CreateObject { .. } => {}
            Change::PowerOff { .. }
            | Change::Remove { .. }
            | Change::Restart { .. }
            | Change::Pause { .. }
            | Change::Disconnect { .. } => {
                return Err(KindError::NotStruck {
                    node: node.to_owned(),
                    state: state.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// What the cloud does once an instance is gone: its controller deletes the node's object when it is not Ready, and the auto
    /// scaling group starts another instance.
    async fn look_after_removed(
        self: &Arc<Self>,
        number: Number,
        mode: Mode,
        node: &str,
        place: Seq,
        change: Change,
    ) -> Result<(), KindError> {
        let replaced = async {
            tokio::time::sleep(self.replaced_after).await;
            let Change::Remove {
                replacement, recipe, ..
            } = &change
            else {
                return Ok(());
            };
            self.note(What::MachineStarted {
                machine: replacement.clone(),
                by: "auto-scaling-group".to_owned(),
            });
            joining::join(&self.hands, replacement, recipe).await
        };
        let forgotten = async {
            if mode == Mode::Remove {
                return Ok(());
            }
            loop {
                tokio::time::sleep(CLOUD_PERIOD).await;
                let ready = self.observer.record().nodes.get(node).map(NodeSeen::is_ready);
                match ready {
                    None => return Ok(()),
                    Some(true) => {}
                    Some(false) => {
                        self.observer.record().will_delete_node(node, "cloud-controller");
                        return self.hands.delete_object(node).await;
                    }
                }
            }
        };
        let (replaced, forgotten): (Result<(), KindError>, Result<(), KindError>) = tokio::join!(replaced, forgotten);
        replaced.and(forgotten)?;
        // What is left of the undo: the marks, and that the new one is Ready.
        self.undo_made(&self.hands, number, &[(place, change)]).await
    }

    /// As `kubectl drain --ignore-daemonsets --delete-emptydir-data` goes on after the cordon: every pod is asked to go, again and
    /// again where a budget refuses.
    async fn drain(&self, node: &str, pods: Vec<Victim>) -> Result<(), KindError> {
        let all = kube::Api::<k8s_openapi::api::core::v1::Pod>::all(self.hands.client.clone());
        let fields = format!("spec.nodeName={node}");
        let listed = all.list(&ListParams::default().fields(&fields)).await?;
        let evictable: Vec<(String, String)> = listed
            .iter()
            .filter(|pod| !belongs_to_its_node(pod))
            .map(|pod| {
                (
                    pod.metadata.namespace.clone().unwrap_or_default(),
                    pod.metadata.name.clone().unwrap_or_default(),
                )
            })
            .collect();
        let evictions = evictable.iter().map(|(namespace, pod)| async {
            let mut refused = false;
            while let Some(reason) = self.hands.evict(namespace, pod).await? {
                if !refused {
                    refused = true;
                    let app = pods
                        .iter()
                        .find(|victim| victim.pod == *pod)
                        .map(|victim| victim.app.clone());
                    self.note(What::EvictionRefused {
                        pod: pod.clone(),
                        app: app.unwrap_or_default(),
                        reason,
                    });
                }
                tokio::time::sleep(EVICT_AGAIN).await;
            }
            Ok::<(), KindError>(())
        });
        try_join_all(evictions).await?;
        let gone = |record: &Record| {
            let left = record.pods.all().any(|(namespace, name, pod)| {
                pod.node.as_deref() == Some(node) && evictable.iter().any(|it| it.0 == namespace && it.1 == name)
            });
            !left
        };
        if self.observer.until(super::DRAINED_WITHIN, gone).await {
            self.note(What::NodeDrained { node: node.to_owned() });
        }
        Ok(())
    }

    async fn strike_pods(self: &Arc<Self>, number: Number, failure: &PodFailure) -> Result<(), KindError> {
        let namespace = failure.namespace.clone().unwrap_or_else(|| self.loaded());
        let (names, pods) = {
            let record = self.observer.record();
            let wanted = |(name, pod): &(&str, &pods::PodSeen)| {
                let _: &str = name;
                !pod.deleting
                    && !pod.finished
                    && pod.node.is_some()
                    && match &failure.selection {
                        PodSelection::App(app) => pod.app == *app,
                        PodSelection::Label(key, value) => pod.labels.get(key) == Some(value),
                    }
            };
            let mut names: Vec<String> = record
                .pods
                .of(&namespace)
                .filter(wanted)
                .map(|(name, _)| name.to_owned())
                .collect();
            names.sort_unstable();
            if let Some(count) = failure.count {
                // The same choice as on the embedded cluster, from as many pods.
                Stream::new(failure.seed.unwrap_or(self.seed), "fault/pods").shuffle(&mut names);
                names.truncate(count as usize);
                names.sort_unstable();
            }
            let pods: Vec<Victim> = record
                .pods
                .of(&namespace)
                .filter(|(name, _)| names.iter().any(|it| it == name))
                .map(|(name, pod)| pods::victim(name, pod))
                .collect();
            (names, pods)
        };
        if names.is_empty() {
            return Err(KindError::NoPods { namespace });
        }
        let nodes: BTreeSet<String> = pods.iter().map(|pod| pod.node.clone()).collect();
        self.note(What::Injected {
            fault: PodFailure::NAME.to_owned(),
            nodes: nodes.into_iter().collect(),
            pods,
        });
        let deletions = names.into_iter().map(|pod| async {
            self.observer.record().will_delete_pod(&namespace, &pod);
            let change = Change::DeletePod {
                namespace: namespace.clone(),
                pod,
                grace: failure.grace,
            };
            let place = self.intend(&change)?;
            self.hands.make(&change).await?;
            self.done(place);
            // Its controller makes another: nothing is left to undo.
            self.undone(place)
        });
        let ends: Vec<Result<(), KindError>> = join_all(deletions).await;
        let _ = number;
        ends.into_iter().collect()
    }
}

/// Pods that a drain leaves where they are: a DaemonSet's, a static pod's mirror, and those that have ended
/// (k8s.io/kubectl, pkg/drain/filters.go `daemonSetFilter`, `mirrorPodFilter`).
fn belongs_to_its_node(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    use kube::ResourceExt as _;
    pod.annotations().contains_key("kubernetes.io/config.mirror")
        || pod.owner_references().iter().any(|owner| owner.kind == "DaemonSet")
        || pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .is_some_and(|phase| matches!(phase, "Succeeded" | "Failed"))
}
