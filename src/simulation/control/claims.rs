//! PersistentVolumeClaims and their volumes: binding, provisioning, protection, reclaiming.
//!
//! Source: pkg/controller/volume/persistentvolume/pv_controller.go (`syncUnboundClaim`, `provisionClaim`, `syncVolume`),
//! index.go (`findBestMatchForClaim`), pkg/controller/volume/{pvcprotection,pvprotection},
//! plugin/pkg/admission/storage/{storageclass/setdefault,storageobjectinuseprotection}.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::meta::Meta;
use super::super::objects::parse::{CLAIM_PROTECTION, DEFAULT_CLASS, SELECTED_NODE, VOLUME_PROTECTION, suits};
use super::super::objects::resources::{CLAIMS, VOLUMES};
use super::super::objects::selector::{Requirement, Test};
use super::super::objects::storage::{Binding, Claim, ClaimPhase, Reclaim, StorageClass, Volume, VolumePhase};
use super::super::objects::store::named;
use super::super::objects::table::Row;
use super::super::server::tables::Place;
use super::super::world::{About, World, draw};
use super::attachments::Attachment;
use crate::model::time::Span;

/// What can happen to volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The controller looks at a claim.
    Claim(u32),
    /// A volume for a claim has been made.
    Provisioned(u32),
    /// The controller looks at a volume.
    Volume(u32),
    /// The attach/detach controller looks at a volume.
    Attach(u32),
    /// A volume is attached to a machine's node.
    Attached(u32, MachineId),
    /// A volume is detached from it.
    Detached(u32, MachineId),
    /// The control plane sees that a node has a volume mounted no more.
    Unmounted(u32, MachineId),
    /// A kubelet has waited too long for a pod's volumes.
    MountTimeout(u32),
}

/// What the control plane and the kubelets know of volumes.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// Pods by the claim that they name: namespace and name.
    pub(super) users: BTreeMap<(Arc<str>, Arc<str>), BTreeSet<u32>>,
    /// Pods whose node waits for their claims to be bound.
    pub(super) reserved: BTreeMap<u32, MachineId>,
    /// Attachments by volume.
    pub(super) attachments: BTreeMap<u32, Vec<Attachment>>,
    /// Volumes attached to each machine.
    pub(super) on_machine: BTreeMap<MachineId, BTreeSet<u32>>,
    /// What kubelets do about each pod's volumes.
    pub(in crate::simulation) mounts: BTreeMap<u32, super::super::mounting::Mount>,
    /// Claims that a volume is being made for.
    provisioning: BTreeSet<u32>,
    /// Free volumes, by class.
    free: BTreeMap<Arc<str>, BTreeSet<u32>>,
    dirty: BTreeSet<Place>,
}

impl World {
    /// Lets a step happen.
    pub(in crate::simulation) fn storage_step(&mut self, step: Step) {
        match step {
            Step::Claim(row) => self.sync_claim(row),
            Step::Provisioned(row) => self.volume_made(row),
            Step::Volume(row) => self.sync_volume(row),
            Step::Attach(row) => self.sync_attachments(row),
            Step::Attached(row, machine) => self.attached(row, machine),
            Step::Detached(row, machine) => self.detached(row, machine),
            Step::Unmounted(row, machine) => self.unmounted(row, machine),
            Step::MountTimeout(pod) => self.mount_timed_out(pod),
        }
    }

    pub(in crate::simulation) fn claim_changed(&mut self, row: u32) {
        if self.volumes.dirty.insert(Place::new(CLAIMS, row)) {
            let delay = draw(&mut self.chance.storage, self.profile.controllers.notice);
            self.after(delay, Event::Storage(Step::Claim(row)));
        }
    }

    pub(in crate::simulation) fn volume_changed(&mut self, row: u32) {
        if self.volumes.dirty.insert(Place::new(VOLUMES, row)) {
            let delay = draw(&mut self.chance.storage, self.profile.controllers.notice);
            self.after(delay, Event::Storage(Step::Volume(row)));
        }
    }

    /// Adds a claim as admission leaves it: with the default class, and protected.
    pub(in crate::simulation) fn insert_claim(&mut self, mut meta: Meta, mut claim: Claim) {
        if claim.class.is_none() {
            claim.class = self.default_storage_class();
        }
        meta.finalizers.push(CLAIM_PROTECTION.to_owned());
        let row = self.store.claims.insert(&mut self.store.versions, meta, claim);
        self.claim_changed(row);
        self.room_appeared();
    }

    /// The newest of the default classes (setdefault/admission.go `GetDefaultClass`).
    fn default_storage_class(&self) -> Option<Arc<str>> {
        let all = self.store.storage_classes.iter();
        let default = all.filter(|(_, row)| row.meta.annotations.get(DEFAULT_CLASS).is_some_and(|it| it == "true"));
        default
            .max_by_key(|(_, row)| row.meta.created)
            .map(|(_, row)| row.meta.name.clone())
    }

    /// Adds a volume, protected.
    pub(in crate::simulation) fn insert_volume(&mut self, mut meta: Meta, volume: Volume) -> u32 {
        meta.finalizers.push(VOLUME_PROTECTION.to_owned());
        let (class, free) = (volume.class.clone(), volume.phase == VolumePhase::Available);
        let row = self.store.volumes.insert(&mut self.store.versions, meta, volume);
        if free {
            self.volumes.free.entry(class.clone()).or_default().insert(row);
            for claim in self.pending_claims(&class) {
                self.claim_changed(claim);
            }
        }
        self.room_appeared();
        row
    }

    fn pending_claims(&self, class: &str) -> Vec<u32> {
        let all = self.store.claims.iter();
        let waiting = all.filter(|(_, row)| {
            row.body.phase == ClaimPhase::Pending && row.body.class.as_deref().unwrap_or("") == class
        });
        waiting.map(|(row, _)| row).collect()
    }

    pub(super) fn class_of(&self, claim: &Claim) -> Option<&Row<StorageClass>> {
        let row = self.store.storage_classes.find("", claim.class.as_deref()?)?;
        self.store.storage_classes.get(row)
    }

    /// The pods that name a claim.
    pub(super) fn users_of(&self, meta: &Meta) -> impl Iterator<Item = u32> {
        let key = (meta.namespace.clone(), meta.name.clone());
        self.volumes.users.get(&key).into_iter().flatten().copied()
    }

    fn sync_claim(&mut self, row: u32) {
        self.volumes.dirty.remove(&Place::new(CLAIMS, row));
        let Some(it) = self.store.claims.shared(row).cloned() else {
            return;
        };
        if it.meta.deletion.is_some() {
            return self.unprotect_claim(row, &it);
        }
        match it.body.phase {
            ClaimPhase::Bound => {
                let name = it.body.volume.as_deref().unwrap_or("");
                if !self.store.volumes.contains("", name) {
                    let versions = &mut self.store.versions;
                    self.store
                        .claims
                        .update(versions, row, |claim| claim.body.phase = ClaimPhase::Lost);
                    let why = "Bound claim has lost its PersistentVolume. Any data on the volume is lost!";
                    self.tell_claim(&it.meta, true, "ClaimLost", why);
                }
            }
            ClaimPhase::Lost => {}
            ClaimPhase::Pending => self.bind_or_provision(row, &it),
        }
    }

    fn bind_or_provision(&mut self, row: u32, it: &Arc<Row<Claim>>) {
        if let Some(name) = &it.body.volume {
            // One that the user names, when it is free or kept for this claim.
            let volume = self.store.volumes.find("", name).filter(|&volume| {
                let free = self.store.volumes.get(volume).and_then(|row| row.body.claim.as_ref());
                free.is_none_or(|(space, name, uid)| {
                    (space, name) == (&it.meta.namespace, &it.meta.name) && uid.is_none_or(|uid| uid == it.meta.uid)
                })
            });
            if let Some(volume) = volume {
                self.bind_claim(row, volume);
            }
            return;
        }
        let class = self.class_of(&it.body).cloned();
        let first = class
            .as_ref()
            .is_some_and(|class| class.body.binding == Binding::FirstConsumer);
        let waits = first && it.body.selected.is_none();
        if let Some(volume) = self.best_volume(it, waits, None) {
            return self.bind_claim(row, volume);
        }
        if waits {
            let why = "waiting for first consumer to be created before binding";
            return self.tell_claim(&it.meta, false, "WaitForFirstConsumer", why);
        }
        let Some(class) = class else {
            return match it.body.class.as_deref() {
                None | Some("") => {
                    let why = "no persistent volumes available for this claim and no storage class is set";
                    self.tell_claim(&it.meta, false, "FailedBinding", why);
                }
                Some(name) => {
                    let why = format!("storageclass.storage.k8s.io \"{name}\" not found");
                    self.tell_claim(&it.meta, true, "ProvisioningFailed", &why);
                }
            };
        };
        let provisioner = class.body.provisioner.clone();
        if &*provisioner == "kubernetes.io/no-provisioner" {
            let why = "no volume plugin matched name: kubernetes.io/no-provisioner";
            return self.tell_claim(&it.meta, true, "ProvisioningFailed", why);
        }
        let why = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
             administrator. If volume creation is delayed, please verify that the provisioner is running and correctly \
             registered."
        );
        self.tell_claim(&it.meta, false, "ExternalProvisioning", &why);
        let storage = self.profile.storage.as_ref();
        if let Some(storage) = storage.filter(|storage| storage.provisioner == *provisioner)
            && self.volumes.provisioning.insert(row)
        {
            let delay = draw(&mut self.chance.storage, storage.provision);
            self.after(delay, Event::Storage(Step::Provisioned(row)));
        }
    }

    /// The smallest free volume that suits a claim. `named`: only one that is kept for it; `node`: only one that the node
    /// reaches.
    pub(super) fn best_volume(&self, it: &Row<Claim>, named: bool, node: Option<MachineId>) -> Option<u32> {
        let class: Arc<str> = it.body.class.clone().unwrap_or_else(|| "".into());
        let free = self.volumes.free.get(&class).into_iter().flatten();
        free.copied()
            .filter_map(|row| Some((row, self.store.volumes.get(row)?)))
            .filter(|(_, volume)| {
                let kept = volume.body.claim.as_ref();
                let own = kept.is_some_and(|(space, name, _)| (space, name) == (&it.meta.namespace, &it.meta.name));
                (own || kept.is_none() && !named)
                    && volume.meta.deletion.is_none()
                    && volume.body.capacity >= it.body.size
                    && it.body.modes.within(volume.body.modes)
                    && suits(it.body.selector.as_ref(), &volume.meta.labels)
                    && node.is_none_or(|node| self.reaches(node, volume.body.terms.as_deref()))
            })
            .min_by_key(|(row, volume)| (volume.body.claim.is_none(), volume.body.capacity, *row))
            .map(|(row, _)| row)
    }

    /// Whether a machine's node is within a volume's node affinity.
    pub(super) fn reaches(&self, machine: MachineId, terms: Option<&[Vec<Requirement>]>) -> bool {
        let Some(terms) = terms else { return true };
        let node = self.machines[machine.0 as usize].node;
        node.and_then(|row| self.store.nodes.get(row)).is_some_and(|node| {
            let all = |term: &Vec<Requirement>| term.iter().all(|requirement| requirement.matches(&node.meta.labels));
            terms.iter().any(all)
        })
    }

    pub(super) fn bind_claim(&mut self, row: u32, volume: u32) {
        let Some(claim) = self.store.claims.shared(row).cloned() else {
            return;
        };
        let Some(it) = self.store.volumes.shared(volume).cloned() else {
            return;
        };
        if let Some(free) = self.volumes.free.get_mut(&it.body.class) {
            free.remove(&volume);
        }
        let meta = &claim.meta;
        let owner = (meta.namespace.clone(), meta.name.clone(), Some(meta.uid));
        self.store.volumes.update(&mut self.store.versions, volume, |row| {
            row.body.claim = Some(owner);
            row.body.phase = VolumePhase::Bound;
        });
        self.store.claims.update(&mut self.store.versions, row, |row| {
            row.body.volume = Some(it.meta.name.clone());
            row.body.phase = ClaimPhase::Bound;
            row.body.capacity = it.body.capacity;
            let annotations = Arc::make_mut(&mut row.meta.annotations);
            annotations.insert("pv.kubernetes.io/bind-completed".to_owned(), "yes".to_owned());
            annotations.insert("pv.kubernetes.io/bound-by-controller".to_owned(), "yes".to_owned());
        });
        self.claim_bound(row);
    }

    /// A provisioner has made the volume of a claim, where its first pod will run.
    fn volume_made(&mut self, row: u32) {
        self.volumes.provisioning.remove(&row);
        let Some(claim) = self.store.claims.shared(row).cloned() else {
            return;
        };
        if claim.body.phase != ClaimPhase::Pending {
            return;
        }
        let Some(class) = self.class_of(&claim.body).cloned() else {
            return;
        };
        let Some(storage) = self.profile.storage.clone() else {
            return;
        };
        let value = self.place_of_volume(&claim.body, &class.body, &storage.topology);
        let name = format!("pvc-{}", super::super::objects::meta::uid_text(claim.meta.uid));
        let terms = value.map(|value| {
            vec![vec![Requirement {
                key: storage.topology.clone(),
                test: Test::In(vec![value]),
            }]]
        });
        let mut spec = json!({
            "accessModes": claim.body.modes.words(),
            "capacity": {"storage": claim.body.spec["resources"]["requests"]["storage"]},
            "persistentVolumeReclaimPolicy": class.body.reclaim.name(),
            "storageClassName": &*class.meta.name,
            "volumeMode": claim.body.spec["volumeMode"],
        });
        if storage.attach.is_some() {
            spec["csi"] = json!({"driver": storage.driver, "volumeHandle": format!("vol-{:017x}", claim.meta.uid)});
        } else {
            spec["hostPath"] =
                json!({"path": format!("/var/local-path-provisioner/{name}"), "type": "DirectoryOrCreate"});
        }
        if let Some([term]) = terms.as_deref()
            && let Some(Requirement {
                key,
                test: Test::In(values),
            }) = term.first()
        {
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{
                "matchExpressions": [{"key": key, "operator": "In", "values": values}],
            }]}});
        }
        let mut meta = Meta {
            created: self.now,
            ..named(&"".into(), name.as_str())
        };
        let annotations = Arc::make_mut(&mut meta.annotations);
        annotations.insert(
            "pv.kubernetes.io/provisioned-by".to_owned(),
            class.body.provisioner.to_string(),
        );
        let volume = Volume {
            spec: Arc::new(spec),
            modes: claim.body.modes,
            capacity: claim.body.size,
            class: class.meta.name.clone(),
            reclaim: class.body.reclaim,
            claim: Some((
                claim.meta.namespace.clone(),
                claim.meta.name.clone(),
                Some(claim.meta.uid),
            )),
            terms,
            attachable: storage.attach.is_some(),
            phase: VolumePhase::Bound,
        };
        let volume = self.insert_volume(meta, volume);
        self.tell_claim(
            &claim.meta,
            false,
            "ProvisioningSucceeded",
            &format!("Successfully provisioned volume {name}"),
        );
        self.bind_claim(row, volume);
    }

    /// The value of the topology label that a new volume gets: the chosen node's, or one at random among those allowed.
    fn place_of_volume(&mut self, claim: &Claim, class: &StorageClass, topology: &str) -> Option<String> {
        let label = |row: &Row<super::super::objects::node::Node>| row.meta.labels.get(topology).cloned();
        if let Some(node) = &claim.selected {
            let row = self.store.nodes.find("", node)?;
            return self.store.nodes.get(row).and_then(label);
        }
        let allowed = |row: &Row<super::super::objects::node::Node>| {
            class.topologies.as_ref().is_none_or(|terms| {
                let all = |term: &Vec<Requirement>| term.iter().all(|it| it.matches(&row.meta.labels));
                terms.iter().any(all)
            })
        };
        let workers = self
            .store
            .nodes
            .iter()
            .filter(|(_, row)| allowed(row) && !self.machines[row.body.machine.0 as usize].control_plane);
        let values: BTreeSet<String> = workers.filter_map(|(_, row)| label(row)).collect();
        let index = self.chance.storage.index(values.len());
        values.into_iter().nth(index)
    }

    /// A claim in deletion goes when no pod that has a node uses it.
    fn unprotect_claim(&mut self, row: u32, it: &Row<Claim>) {
        let used = self.users_of(&it.meta).any(|pod| {
            self.store
                .pod(pod)
                .is_some_and(|row| row.body.node.is_some() && !row.body.is_finished())
        });
        if !used {
            self.release(Place::new(CLAIMS, row), CLAIM_PROTECTION);
        }
    }

    /// A claim has gone: its volume is free of it.
    pub(in crate::simulation) fn claim_left(&mut self, claim: &Row<Claim>) {
        let bound = claim.body.phase == ClaimPhase::Bound;
        let volume = claim.body.volume.as_deref().filter(|_| bound);
        if let Some(row) = volume.and_then(|name| self.store.volumes.find("", name)) {
            self.store.volumes.update(&mut self.store.versions, row, |row| {
                row.body.phase = VolumePhase::Released;
            });
            self.volume_changed(row);
        }
    }

    /// A released volume is deleted, when that is its policy and no node has it attached any more; a protected one in
    /// deletion goes when it is not bound.
    fn sync_volume(&mut self, row: u32) {
        self.volumes.dirty.remove(&Place::new(VOLUMES, row));
        let Some(it) = self.store.volumes.shared(row).cloned() else {
            return;
        };
        let place = Place::new(VOLUMES, row);
        let attached = self.volumes.attachments.get(&row).is_some_and(|all| !all.is_empty());
        if it.body.phase == VolumePhase::Released && it.body.reclaim == Reclaim::Delete && !attached {
            if it.meta.deletion.is_none() {
                self.delete_object(place, &super::super::api::DeleteOptions::default());
            }
            return self.release(place, VOLUME_PROTECTION);
        }
        if it.meta.deletion.is_some() && it.body.phase != VolumePhase::Bound {
            self.release(place, VOLUME_PROTECTION);
        }
    }

    /// A volume object has gone.
    pub(in crate::simulation) fn volume_left(&mut self, row: u32, volume: &Volume) {
        if let Some(free) = self.volumes.free.get_mut(&volume.class) {
            free.remove(&row);
        }
        if let Some((namespace, name, _)) = &volume.claim
            && let Some(claim) = self.store.claims.find(namespace, name)
        {
            self.claim_changed(claim);
        }
    }

    /// Takes a finalizer away.
    fn release(&mut self, place: Place, finalizer: &str) {
        self.change_meta(place, |meta| meta.finalizers.retain(|other| other != finalizer));
        let free = self
            .meta_at(place)
            .is_some_and(|meta| meta.finalizers.is_empty() && meta.deletion.is_some());
        if free {
            self.drop_object(place);
        }
    }

    fn tell_claim(&mut self, meta: &Meta, warning: bool, reason: &'static str, message: &str) {
        let about = About {
            kind: "PersistentVolumeClaim",
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid,
            warning,
            component: "persistentvolume-controller",
        };
        self.announce(&about, reason, message);
    }

    /// The scheduler's choice of a node for the first pod of a claim.
    pub(super) fn select_node(&mut self, row: u32, machine: MachineId) {
        let name = self.machines[machine.0 as usize].name.clone();
        self.store.claims.update(&mut self.store.versions, row, |row| {
            let annotations = Arc::make_mut(&mut row.meta.annotations);
            annotations.insert(SELECTED_NODE.to_owned(), name.to_string());
            row.body.selected = Some(name);
        });
        self.claim_changed(row);
    }
}

/// How often a node reports which volumes it uses.
/// Source: pkg/kubelet/apis/config/v1beta1/defaults.go `nodeStatusUpdateFrequency`.
pub(super) const REPORT: Span = Span::secs(10);
