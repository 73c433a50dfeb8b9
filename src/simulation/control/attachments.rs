//! The attach/detach controller.
//!
//! Source: pkg/controller/volume/attachdetach/reconciler/reconciler.go (`reconcile`, `attachDesiredVolumes`,
//! `reportMultiAttachError`), attach_detach_controller.go (`DefaultTimerConfig`: `ReconcilerMaxWaitForUnmountDuration`).

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::node::Readiness;
use super::super::objects::pod::OUT_OF_SERVICE;
use super::super::objects::resources::VOLUME_ATTACHMENTS;
use super::super::objects::storage::VolumeAttachment;
use super::super::objects::store::named;
use super::super::server::tables::Place;
use super::super::world::{World, draw};
use super::claims::{REPORT, Step};
use crate::model::time::{Span, Time};
use crate::simulation::objects::meta::Meta;

/// How long a volume that a lost node may still use is waited for: `ReconcilerMaxWaitForUnmountDuration`.
const WAIT_FOR_UNMOUNT: Span = Span::secs(6 * 60);
/// Between two looks of the controller: `ReconcilerLoopPeriod`.
const LOOP: Span = Span::millis(100);

/// A volume on a node.
#[derive(Clone, Copy, Debug)]
pub struct Attachment {
    machine: MachineId,
    /// The row of its VolumeAttachment.
    object: u32,
    state: State,
    /// Whether the node says that it uses the volume.
    mounted: bool,
    /// Since when nobody wants it there any more.
    unwanted: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attaching,
    Attached,
    Detaching,
}

impl World {
    /// Lets the controller look at a volume.
    pub(in crate::simulation) fn attachments_changed(&mut self, volume: u32) {
        let delay = self.chance.storage.span(Span::ZERO, LOOP);
        self.after(delay, Event::Storage(Step::Attach(volume)));
    }

    /// A node changed: its volumes may be detached now.
    pub(in crate::simulation) fn node_volumes_changed(&mut self, machine: MachineId) {
        for volume in self.volumes.on_machine.get(&machine).cloned().unwrap_or_default() {
            self.attachments_changed(volume);
        }
    }

    /// A node object is gone: nothing is mounted there as far as the controller knows (`nodeDelete`).
    pub(in crate::simulation) fn node_volumes_unknown(&mut self, machine: MachineId) {
        for volume in self.volumes.on_machine.get(&machine).cloned().unwrap_or_default() {
            if let Some(one) = self.attachment(volume, machine) {
                one.mounted = false;
            }
            self.attachments_changed(volume);
        }
    }

    /// A node reports again: what no pod there uses any more, it unmounts.
    pub(in crate::simulation) fn node_volumes_unused(&mut self, machine: MachineId) {
        for volume in self.volumes.on_machine.get(&machine).cloned().unwrap_or_default() {
            self.unmount_later(volume, machine);
        }
    }

    /// Whether a volume is attached to a machine's node, or needs not to be.
    pub(in crate::simulation) fn is_attached(&self, volume: u32, machine: MachineId) -> bool {
        let attachable = self.store.volumes.get(volume).is_some_and(|it| it.body.attachable);
        let all = self.volumes.attachments.get(&volume).into_iter().flatten();
        !attachable
            || all
                .into_iter()
                .any(|it| it.machine == machine && it.state == State::Attached)
    }

    /// The pods that use a volume and have a node, and the machines.
    fn pods_on_volume(&self, volume: u32) -> Vec<(u32, MachineId)> {
        let Some(it) = self.store.volumes.get(volume) else {
            return Vec::new();
        };
        let Some((namespace, name, _)) = &it.body.claim else {
            return Vec::new();
        };
        let users = self.volumes.users.get(&(namespace.clone(), name.clone()));
        let users = users.into_iter().flatten().filter_map(|&pod| {
            let row = self.store.pod(pod)?;
            (!row.body.is_finished()).then_some((pod, row.body.node?))
        });
        users.collect()
    }

    pub(super) fn sync_attachments(&mut self, volume: u32) {
        let Some(it) = self.store.volumes.shared(volume).cloned() else {
            return;
        };
        if !it.body.attachable {
            return;
        }
        let pods = self.pods_on_volume(volume);
        let mut all = self.volumes.attachments.remove(&volume).unwrap_or_default();
        for one in &mut all {
            if pods.iter().any(|&(_, machine)| machine == one.machine) {
                one.unwanted = None;
            } else if one.state == State::Attached {
                self.consider_detaching(volume, one);
            }
        }
        self.volumes.attachments.insert(volume, all);
        for (index, &(pod, machine)) in pods.iter().enumerate() {
            let all = &self.volumes.attachments[&volume];
            if all.iter().any(|one| one.machine == machine) || pods[..index].iter().any(|&(_, other)| other == machine)
            {
                continue;
            }
            if all.is_empty() || it.body.modes.many_nodes() {
                self.attach(volume, machine);
            } else {
                let others: Vec<u32> = pods
                    .iter()
                    .filter(|&&(_, other)| other != machine)
                    .map(|&(other, _)| other)
                    .collect();
                self.tell_multi_attach(&it.meta.name, pod, &others);
            }
        }
    }

    fn consider_detaching(&mut self, volume: u32, one: &mut Attachment) {
        let since = *one.unwanted.get_or_insert(self.now);
        let node = self.machines[one.machine.0 as usize]
            .node
            .and_then(|row| self.store.nodes.get(row));
        let healthy = node.is_some_and(|node| node.body.ready == Readiness::True);
        let out_of_service = node.is_some_and(|node| node.body.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE));
        let waited = self.now.since(since) > WAIT_FOR_UNMOUNT;
        if one.mounted && !out_of_service && (healthy || !waited) {
            if !waited {
                let at = since + WAIT_FOR_UNMOUNT + LOOP;
                self.queue.post(at, Event::Storage(Step::Attach(volume)));
            }
            return;
        }
        one.state = State::Detaching;
        let between = self.profile.storage.as_ref().map(|storage| storage.detach);
        let delay = draw(&mut self.chance.storage, between.unwrap_or_default());
        self.after(delay, Event::Storage(Step::Detached(volume, one.machine)));
    }

    fn attach(&mut self, volume: u32, machine: MachineId) {
        let Some(it) = self.store.volumes.get(volume) else {
            return;
        };
        let storage = self.profile.storage.as_ref();
        let driver = it.body.spec["csi"]["driver"].as_str();
        let driver = driver
            .or_else(|| storage.map(|storage| storage.driver.as_str()))
            .unwrap_or("");
        let node = self.machines[machine.0 as usize].name.clone();
        let body = VolumeAttachment {
            attacher: driver.into(),
            node,
            volume: it.meta.name.clone(),
            attached: false,
        };
        let meta = Meta {
            created: self.now,
            ..named(&"".into(), attachment_name(&body))
        };
        let between = storage.and_then(|storage| storage.attach).unwrap_or_default();
        let object = self
            .store
            .volume_attachments
            .insert(&mut self.store.versions, meta, body);
        self.volumes.attachments.entry(volume).or_default().push(Attachment {
            machine,
            object,
            state: State::Attaching,
            mounted: false,
            unwanted: None,
        });
        self.volumes.on_machine.entry(machine).or_default().insert(volume);
        let delay = draw(&mut self.chance.storage, between);
        self.after(delay, Event::Storage(Step::Attached(volume, machine)));
    }

    fn attachment(&mut self, volume: u32, machine: MachineId) -> Option<&mut Attachment> {
        let all = self.volumes.attachments.get_mut(&volume)?;
        all.iter_mut().find(|one| one.machine == machine)
    }

    pub(super) fn attached(&mut self, volume: u32, machine: MachineId) {
        let Some(one) = self.attachment(volume, machine) else {
            return;
        };
        one.state = State::Attached;
        // It is taken to be in use from then on, until the node says otherwise (`MarkVolumeAsAttached`: MountedByNode true).
        one.mounted = true;
        let object = one.object;
        self.store
            .volume_attachments
            .update(&mut self.store.versions, object, |row| row.body.attached = true);
        let name = self.store.volumes.get(volume).map(|it| it.meta.name.clone());
        for (pod, on) in self.pods_on_volume(volume) {
            if on != machine {
                continue;
            }
            if let Some(name) = &name {
                let message = format!("AttachVolume.Attach succeeded for volume \"{name}\" ");
                self.tell_pod(pod, false, "attachdetach-controller", "SuccessfulAttachVolume", message);
            }
            self.volumes_may_be_ready(pod);
        }
        self.attachments_changed(volume);
        if !self.pods_on_volume(volume).iter().any(|&(_, on)| on == machine) {
            // Nobody mounts it any more; the next report of the node says so.
            self.unmount_later(volume, machine);
        }
    }

    pub(super) fn detached(&mut self, volume: u32, machine: MachineId) {
        let Some(all) = self.volumes.attachments.get_mut(&volume) else {
            return;
        };
        let Some(index) = all
            .iter()
            .position(|one| one.machine == machine && one.state == State::Detaching)
        else {
            return;
        };
        let one = all.remove(index);
        if all.is_empty() {
            self.volumes.attachments.remove(&volume);
        }
        if let Some(volumes) = self.volumes.on_machine.get_mut(&machine) {
            volumes.remove(&volume);
        }
        self.drop_object(Place::new(VOLUME_ATTACHMENTS, one.object));
        self.attachments_changed(volume);
        self.volume_changed(volume);
    }

    /// A kubelet has unmounted a volume: the control plane sees it with the node's next status.
    pub(in crate::simulation) fn unmount_later(&mut self, volume: u32, machine: MachineId) {
        let delay = self.chance.storage.span(Span::ZERO, REPORT);
        self.after(delay, Event::Storage(Step::Unmounted(volume, machine)));
    }

    pub(super) fn unmounted(&mut self, volume: u32, machine: MachineId) {
        if self.pods_on_volume(volume).iter().any(|&(_, on)| on == machine) {
            return;
        }
        if let Some(one) = self.attachment(volume, machine) {
            one.mounted = false;
            self.attachments_changed(volume);
        }
    }

    fn tell_multi_attach(&mut self, volume: &str, pod: u32, others: &[u32]) {
        let Some(namespace) = self.store.pod(pod).map(|row| row.meta.namespace.clone()) else {
            return;
        };
        let rows = others.iter().filter_map(|&other| self.store.pod(other));
        let (local, foreign): (Vec<_>, Vec<_>) = rows.partition(|row| row.meta.namespace == namespace);
        let names: Vec<&str> = local.iter().map(|row| &*row.meta.name).collect();
        let what = match (names.is_empty(), foreign.len()) {
            (true, 0) => {
                "Volume is already exclusively attached to one node and can't be attached to another".to_owned()
            }
            (false, 0) => format!("Volume is already used by pod(s) {}", names.join(", ")),
            (false, count) => format!(
                "Volume is already used by pod(s) {} and {count} pod(s) in different namespaces",
                names.join(", ")
            ),
            (true, count) => format!("Volume is already used by {count} pod(s) in different namespaces"),
        };
        let message = format!("Multi-Attach error for volume \"{volume}\" {what}");
        self.tell_pod(pod, true, "attachdetach-controller", "FailedAttachVolume", message);
    }

    /// An Event about a pod.
    pub(in crate::simulation) fn tell_pod(
        &mut self,
        pod: u32,
        warning: bool,
        component: &'static str,
        reason: &'static str,
        message: String,
    ) {
        if let Some(about) = self.about_pod(pod, warning, component) {
            self.announce(&about, reason, message);
        }
    }
}

/// `csi-` and a hash of volume, driver and node (pkg/volume/csi/csi_attacher.go `getAttachmentName`; its hash is SHA-256).
fn attachment_name(it: &VolumeAttachment) -> String {
    let text = format!("{}{}{}", it.volume, it.attacher, it.node);
    let words = (0..4_u8).map(|word| {
        text.bytes()
            .chain([word])
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
    });
    words.fold("csi-".to_owned(), |name, word| name + &format!("{word:016x}"))
}
