//! The scheduler and volumes: where a pod's claims let it run, and what its node means for them.
//!
//! Source: pkg/scheduler/framework/plugins/volumebinding/{volume_binding.go (`PreFilter`, `Reserve`, `PreBind`), binder.go
//! (`FindPodVolumes`)}, plugins/volumerestrictions/volume_restrictions.go (`ErrReasonReadWriteOncePodConflict`).

use super::super::event::Event;
use super::super::fabric::{MachineId, PodId};
use super::super::objects::meta::Meta;
use super::super::objects::pod::Pod;
use super::super::objects::selector::Requirement;
use super::super::objects::storage::{Binding, Claim, ClaimPhase};
use super::super::objects::table::Row;
use super::super::objects::template::PodTemplate;
use super::super::scheduler::{NodeTerms, PodInfo};
use super::super::world::World;
use super::claims::Step;

impl World {
    /// A pod object was made or removed: who names which claim.
    pub(in crate::simulation) fn count_claims(
        &mut self,
        pod: u32,
        meta: &Meta,
        template: &PodTemplate,
        there: Present,
    ) {
        let Some(needs) = &template.needs else { return };
        for it in &needs.claims {
            let key = (meta.namespace.clone(), it.claim.clone());
            match there {
                Present::Yes => {
                    self.volumes.users.entry(key).or_default().insert(pod);
                }
                Present::No => {
                    if let Some(users) = self.volumes.users.get_mut(&key) {
                        users.remove(&pod);
                        if users.is_empty() {
                            self.volumes.users.remove(&key);
                        }
                    }
                    self.claim_unused(&meta.namespace, &it.claim);
                }
            }
        }
    }

    fn claim_unused(&mut self, namespace: &str, name: &str) {
        let Some(row) = self.store.claims.find(namespace, name) else {
            return;
        };
        let Some(claim) = self.store.claims.get(row) else {
            return;
        };
        let volume = claim.body.volume.clone();
        if claim.meta.deletion.is_some() {
            self.claim_changed(row);
        }
        if let Some(volume) = volume.and_then(|name| self.store.volumes.find("", &name)) {
            self.attachments_changed(volume);
        }
    }

    /// A pod's object has gone: its kubelet, when it runs, has unmounted its volumes or will.
    pub(in crate::simulation) fn volumes_left(
        &mut self,
        pod: u32,
        meta: &Meta,
        template: &PodTemplate,
        machine: Option<MachineId>,
    ) {
        let Some(needs) = template.needs.clone() else { return };
        self.volumes.reserved.remove(&pod);
        self.volumes.mounts.remove(&pod);
        self.count_claims(pod, meta, template, Present::No);
        let Some(machine) = machine.filter(|&machine| self.kubelet_runs(machine)) else {
            return;
        };
        for it in &needs.claims {
            let claim = self.store.claims.find(&meta.namespace, &it.claim);
            let name = claim.and_then(|row| self.store.claims.get(row)?.body.volume.clone());
            if let Some(volume) = name.and_then(|name| self.store.volumes.find("", &name)) {
                self.unmount_later(volume, machine);
            }
        }
    }

    /// Where a pod's claims let it run, or why it can have no node yet.
    pub(super) fn places_of_volumes(&self, pod: &Row<Pod>) -> Result<Vec<NodeTerms>, String> {
        let Some(needs) = &pod.body.template.needs else {
            return Ok(Vec::new());
        };
        let meta = &pod.meta;
        let mut terms: Vec<NodeTerms> = Vec::new();
        for it in &needs.claims {
            let claim = self.store.claims.find(&meta.namespace, &it.claim);
            let Some(claim) = claim.and_then(|row| self.store.claims.get(row)) else {
                return Err(format!("persistentvolumeclaim \"{}\" not found", it.claim));
            };
            if claim.meta.deletion.is_some() {
                return Err(format!("persistentvolumeclaim \"{}\" is being deleted", it.claim));
            }
            if claim.body.modes.one_pod() && self.taken_by_another(meta.uid, &claim.meta) {
                return Err(
                    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another \
                     pod"
                        .to_owned(),
                );
            }
            match claim.body.phase {
                ClaimPhase::Lost => {
                    let name = claim.body.volume.as_deref().unwrap_or("");
                    return Err(format!(
                        "persistentvolumeclaim \"{}\" bound to non-existent persistentvolume \"{name}\"",
                        it.claim
                    ));
                }
                ClaimPhase::Bound => {
                    let volume = claim
                        .body
                        .volume
                        .as_deref()
                        .and_then(|name| self.store.volumes.find("", name));
                    let volume = volume.and_then(|row| self.store.volumes.get(row));
                    terms.extend(volume.and_then(|volume| volume.body.terms.clone()));
                }
                ClaimPhase::Pending => match self.class_of(&claim.body) {
                    Some(class) if class.body.binding == Binding::FirstConsumer => {
                        terms.extend(class.body.topologies.clone());
                        if &*class.body.provisioner == "kubernetes.io/no-provisioner" {
                            terms.push(self.free_places(claim)?);
                        }
                        if let Some(node) = &claim.body.selected {
                            // Its volume is being made there.
                            let name = Requirement::new("kubernetes.io/hostname", "In", &[node.to_string()])?;
                            terms.push(vec![vec![name]]);
                        }
                    }
                    _ => return Err("pod has unbound immediate PersistentVolumeClaims".to_owned()),
                },
            }
        }
        Ok(terms)
    }

    /// Where free volumes that suit a claim are.
    fn free_places(&self, claim: &Row<Claim>) -> Result<Vec<Vec<Requirement>>, String> {
        let nodes = self.store.nodes.iter();
        let names: Vec<String> = nodes
            .filter(|(_, node)| self.best_volume(claim, false, Some(node.body.machine)).is_some())
            .map(|(_, node)| node.meta.name.to_string())
            .collect();
        if names.is_empty() {
            let all = self.store.nodes.len();
            return Err(format!(
                "{all} node(s) didn't find available persistent volumes to bind"
            ));
        }
        Ok(vec![vec![Requirement::new("kubernetes.io/hostname", "In", &names)?]])
    }

    fn taken_by_another(&self, pod: u64, claim: &Meta) -> bool {
        self.users_of(claim).any(|other| {
            self.store
                .pod(other)
                .is_some_and(|row| row.meta.uid != pod && row.body.node.is_some() && !row.body.is_finished())
        })
    }

    /// Keeps a node for a pod until its claims are bound; false when nothing is to be waited for.
    pub(super) fn reserve(&mut self, pod: u32, machine: MachineId) -> bool {
        let Some(row) = self.store.pods.shared(pod).cloned() else {
            return false;
        };
        let Some(needs) = row.body.template.needs.clone() else {
            return false;
        };
        let mut waits = false;
        for it in &needs.claims {
            let Some(claim) = self.store.claims.find(&row.meta.namespace, &it.claim) else {
                continue;
            };
            let Some(found) = self.store.claims.shared(claim).cloned() else {
                continue;
            };
            if found.body.phase != ClaimPhase::Pending {
                continue;
            }
            waits = true;
            match self.best_volume(&found, false, Some(machine)) {
                Some(volume) => self.bind_claim(claim, volume),
                None => self.select_node(claim, machine),
            }
        }
        if waits && !self.all_bound(pod) {
            self.volumes.reserved.insert(pod, machine);
            self.scheduler.add_pod(&PodInfo {
                pod: PodId(pod),
                namespace: row.meta.namespace.clone(),
                template: row.body.template.clone(),
                machine,
                started: None,
            });
            return true;
        }
        false
    }

    fn all_bound(&self, pod: u32) -> bool {
        let Some(row) = self.store.pod(pod) else { return false };
        let needs = row.body.template.needs.iter().flat_map(|needs| &needs.claims);
        needs.into_iter().all(|it| {
            let claim = self.store.claims.find(&row.meta.namespace, &it.claim);
            claim.is_some_and(|claim| {
                self.store
                    .claims
                    .get(claim)
                    .is_some_and(|claim| claim.body.phase == ClaimPhase::Bound)
            })
        })
    }

    /// A claim was bound: pods whose node waited for it get it, others may fit now.
    pub(super) fn claim_bound(&mut self, row: u32) {
        let Some(meta) = self.store.claims.get(row).map(|row| row.meta.clone()) else {
            return;
        };
        let users: Vec<u32> = self.users_of(&meta).collect();
        for pod in users {
            let Some(&machine) = self.volumes.reserved.get(&pod) else {
                continue;
            };
            if self.all_bound(pod) {
                self.volumes.reserved.remove(&pod);
                self.scheduler.remove_pod(PodId(pod));
                if self.machines[machine.0 as usize].node.is_some() {
                    self.bind(pod, machine);
                } else {
                    // The node has gone meanwhile.
                    self.enqueue_pod(pod);
                }
            }
        }
        self.room_appeared();
    }

    /// A pod has its node: its volumes are to be attached there.
    pub(super) fn attach_volumes(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let Some(needs) = row.body.template.needs.clone() else {
            return;
        };
        let namespace = row.meta.namespace.clone();
        for it in &needs.claims {
            let claim = self.store.claims.find(&namespace, &it.claim);
            let name = claim.and_then(|row| self.store.claims.get(row)?.body.volume.clone());
            if let Some(volume) = name.and_then(|name| self.store.volumes.find("", &name)) {
                self.after(crate::model::time::Span::ZERO, Event::Storage(Step::Attach(volume)));
            }
        }
    }
}

/// Whether a pod object is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// It was made.
    Yes,
    /// It was removed.
    No,
}
