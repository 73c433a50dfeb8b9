//! Kubelets and volumes: a pod's containers wait for its claims to be attached and mounted, and for the ConfigMaps and
//! Secrets that it reads.
//!
//! Source: pkg/kubelet/volumemanager/volume_manager.go (`WaitForAttachAndMount`, `podAttachAndMountTimeout`),
//! pkg/kubelet/kubelet_pods.go (`makeEnvironmentVariables`), pkg/util/goroutinemap/exponentialbackoff.

use super::control::claims::Step;
use super::event::Event;
use super::fabric::MachineId;
use super::objects::container::State;
use super::objects::needs::{Needs, Source, SourceKind};
use super::objects::resources::{self, CONFIG_MAPS, SECRETS};
use super::objects::storage::ClaimPhase;
use super::world::{World, draw};
use crate::model::time::{Span, Time};

/// `podAttachAndMountTimeout`.
const TIMEOUT: Span = Span::secs(123);
/// The first retry of a failed mount: `initialDurationBeforeRetry`.
const RETRY: Span = Span::millis(500);
/// The longest: `maxDurationBeforeRetry`.
const LONGEST_RETRY: Span = Span::secs(122);
/// Between two tries to create a container whose environment is incomplete. Source: pkg/kubelet/kubelet.go `backOffPeriod`.
const CREATE_AGAIN: Span = Span::secs(10);

/// How far a kubelet is with a pod's volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    /// When it began.
    since: Time,
    /// Failed tries so far.
    tries: u32,
    /// When the volumes are mounted, once that is known.
    done: Option<Time>,
}

impl World {
    /// Whether a pod's containers can be started: its volumes are mounted, and what they read exists. Otherwise the kubelet
    /// tries again by itself.
    pub(super) fn volumes_ready(&mut self, pod: u32, machine: MachineId) -> bool {
        let Some(row) = self.store.pod(pod) else { return false };
        let Some(needs) = row.body.template.needs.clone() else {
            return true;
        };
        let namespace = row.meta.namespace.clone();
        let now = self.now;
        let mount = self.volumes.mounts.entry(pod).or_insert(Mount {
            since: now,
            tries: 0,
            done: None,
        });
        if let Some(done) = mount.done {
            return done <= now && self.environment_ready(pod, &namespace, &needs);
        }
        if mount.since == now && mount.tries == 0 {
            self.after(TIMEOUT, Event::Storage(Step::MountTimeout(pod)));
            self.store.change_pod(pod, |row| {
                row.body.started = Some(now);
                row.body.waits(State::Creating, now);
            });
        }
        if let Some((source, key)) = self.lacking(&namespace, &needs.mounted) {
            let message = missing_mount(&source, key.as_deref());
            self.tell_pod(pod, true, "kubelet", "FailedMount", message);
            let tries = self.volumes.mounts.get_mut(&pod).map_or(0, |mount| {
                mount.tries += 1;
                mount.tries - 1
            });
            let delay = Span((RETRY.0 << tries.min(20)).min(LONGEST_RETRY.0));
            self.after(delay, Event::Start(pod));
            return false;
        }
        if !self.claims_attached(&namespace, &needs, machine) {
            return false;
        }
        let mounting = match &self.profile.storage {
            Some(storage) if !needs.claims.is_empty() => draw(&mut self.chance.storage, storage.mount),
            _ => Span::ZERO,
        };
        if let Some(mount) = self.volumes.mounts.get_mut(&pod) {
            mount.done = Some(now + mounting);
        }
        if mounting > Span::ZERO {
            self.after(mounting, Event::Start(pod));
            return false;
        }
        self.environment_ready(pod, &namespace, &needs)
    }

    fn claims_attached(&self, namespace: &str, needs: &Needs, machine: MachineId) -> bool {
        needs.claims.iter().all(|it| {
            let claim = self.store.claims.find(namespace, &it.claim);
            let claim = claim.and_then(|row| self.store.claims.get(row));
            let volume = claim
                .filter(|claim| claim.body.phase == ClaimPhase::Bound)
                .and_then(|claim| self.store.volumes.find("", claim.body.volume.as_deref()?));
            volume.is_some_and(|volume| self.is_attached(volume, machine))
        })
    }

    /// The PersistentVolume on which a container keeps its data: that of the first claim that it mounts.
    pub(super) fn store_volume(&self, pod: u32, place: usize) -> Option<u32> {
        let row = self.store.pod(pod)?;
        let template = &row.body.template;
        let needs = template.needs.as_deref().filter(|needs| !needs.claims.is_empty())?;
        let (list, index) = match place.checked_sub(template.init.len()) {
            Some(index) => ("containers", index),
            None => ("initContainers", place),
        };
        let mounts = template.spec[list][index]["volumeMounts"].as_array();
        let claim = mounts
            .into_iter()
            .flatten()
            .find_map(|mount| needs.claims.iter().find(|claim| mount["name"] == claim.volume.as_str()))?;
        let claim = self.store.claims.find(&row.meta.namespace, &claim.claim)?;
        let volume = self.store.claims.get(claim)?.body.volume.clone()?;
        self.store.volumes.find("", &volume)
    }

    /// A volume was attached: the pod's kubelet looks.
    pub(super) fn volumes_may_be_ready(&mut self, pod: u32) {
        if self.volumes.mounts.get(&pod).is_some_and(|mount| mount.done.is_none()) {
            let notice = draw(&mut self.chance.storage, self.profile.kubelet.notice);
            self.after(notice, Event::Start(pod));
        }
    }

    fn environment_ready(&mut self, pod: u32, namespace: &str, needs: &Needs) -> bool {
        let Some((source, key)) = self.lacking(namespace, &needs.environment) else {
            return true;
        };
        let message = format!("Error: {}", missing_variable(&source, key.as_deref(), namespace));
        self.tell_pod(pod, true, "kubelet", "Failed", message);
        let waits = self
            .store
            .pod(pod)
            .is_some_and(|row| row.body.statuses.iter().any(|status| status.state == State::NoConfig));
        if !waits {
            let now = self.now;
            self.store.change_pod(pod, |row| row.body.waits(State::NoConfig, now));
        }
        self.after(CREATE_AGAIN, Event::Start(pod));
        false
    }

    /// The first object that does not exist, or that lacks a key.
    fn lacking(&self, namespace: &str, sources: &[Source]) -> Option<(Source, Option<String>)> {
        sources.iter().find_map(|source| {
            let resource = match source.kind {
                SourceKind::ConfigMap => CONFIG_MAPS,
                SourceKind::Secret => SECRETS,
            };
            let table = &self.store.stored[resources::index(resource)?];
            let Some(row) = table.find(namespace, &source.name).and_then(|row| table.get(row)) else {
                return Some((source.clone(), None));
            };
            let has = |key: &String| {
                ["data", "binaryData", "stringData"]
                    .iter()
                    .any(|field| row.body.rest[*field].get(key).is_some())
            };
            let key = source.keys.iter().find(|key| !has(key))?;
            Some((source.clone(), Some(key.clone())))
        })
    }

    /// The kubelet says why a pod waits (`WaitForAttachAndMount` fails, `SyncPod` tries again).
    pub(super) fn mount_timed_out(&mut self, pod: u32) {
        if self.volumes.mounts.get(&pod).is_none_or(|mount| mount.done.is_some()) {
            return;
        }
        let Some(row) = self.store.pod(pod) else { return };
        let Some(machine) = row.body.node.filter(|&machine| self.kubelet_runs(machine)) else {
            return;
        };
        let Some(needs) = row.body.template.needs.clone() else {
            return;
        };
        let namespace = row.meta.namespace.clone();
        let names: Vec<&str> = needs.claims.iter().map(|it| it.volume.as_str()).collect();
        let unattached: Vec<&str> = needs
            .claims
            .iter()
            .filter(|it| {
                let one = Needs {
                    claims: vec![(*it).clone()],
                    ..Needs::default()
                };
                !self.claims_attached(&namespace, &one, machine)
            })
            .map(|it| it.volume.as_str())
            .collect();
        let message = format!(
            "Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[{}], failed to process volumes=[]: \
             context deadline exceeded",
            names.join(" "),
            unattached.join(" ")
        );
        self.tell_pod(pod, true, "kubelet", "FailedMount", message);
        self.after(TIMEOUT, Event::Storage(Step::MountTimeout(pod)));
    }
}

/// pkg/volume/{configmap,secret} `SetUpAt`, pkg/volume/util `MakePayload`.
fn missing_mount(source: &Source, key: Option<&str>) -> String {
    let what = match key {
        None => format!("{} \"{}\" not found", source.kind.word(), source.name),
        Some(key) => format!(
            "references non-existent {} key: {key}",
            match source.kind {
                SourceKind::ConfigMap => "config",
                SourceKind::Secret => "secret",
            }
        ),
    };
    format!("MountVolume.SetUp failed for volume \"{}\" : {what}", source.user)
}

/// pkg/kubelet/kubelet_pods.go `makeEnvironmentVariables`.
fn missing_variable(source: &Source, key: Option<&str>, namespace: &str) -> String {
    match key {
        None => format!("{} \"{}\" not found", source.kind.word(), source.name),
        Some(key) => format!(
            "couldn't find key {key} in {} {namespace}/{}",
            source.kind.kind(),
            source.name
        ),
    }
}
