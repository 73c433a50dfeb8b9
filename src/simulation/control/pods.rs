//! What every controller does to pods: create, delete, and tell the others.

use std::sync::Arc;

use super::super::api::ApiError;
use super::super::event::Event;
use super::super::fabric::PodId;
use super::super::objects::meta::{Deletion, Meta, Owner};
use super::super::objects::pod::Pod;
use super::super::objects::resources::PODS;
use super::super::objects::template::PodTemplate;
use super::super::scheduler::Leaving;
use super::super::server::tables::Place;
use super::super::world::{About, World, draw};
use super::volume_binding::Present;
use crate::model::history::What;
use crate::model::time::Span;

/// The letters of generated names: no vowels, none that look alike (k8s.io/apimachinery pkg/util/rand/rand.go).
pub(super) const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

impl World {
    /// Five random characters, as generated names end in.
    pub(in crate::simulation) fn suffix(&mut self) -> String {
        (0..5)
            .map(|_| char::from(ALPHABET[self.chance.names.index(ALPHABET.len())]))
            .collect()
    }

    /// Creates a pod of a workload; its name is `base` and a suffix.
    ///
    /// # Errors
    /// When admission refuses it; the owner's Event says so already.
    pub(in crate::simulation) fn create_owned_pod(
        &mut self,
        namespace: &Arc<str>,
        base: &str,
        owner: Owner,
        template: Arc<PodTemplate>,
        app: &Arc<str>,
    ) -> Result<u32, ApiError> {
        // Admission refuses it (plugin/pkg/admission namespace/lifecycle).
        if self.namespace_closed(namespace) {
            return Err(ApiError::Forbidden(format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            )));
        }
        let name = loop {
            let name = format!("{base}-{}", self.suffix());
            if !self.store.pods.contains(namespace, &name) {
                break name;
            }
        };
        let mut meta = Meta {
            name: name.into(),
            namespace: namespace.clone(),
            created: self.now,
            labels: template.labels.clone(),
            annotations: template.annotations.clone(),
            owner: Some(owner),
            generate_name: Some(format!("{base}-").into()),
            generation: 1,
            ..Meta::default()
        };
        let mut pod = Pod::new(template, app.clone());
        match self.admit_pod(&mut meta, &mut pod) {
            Ok(()) => Ok(self.insert_pod(meta, pod)),
            Err(refusal) => {
                self.creation_failed(&meta, &refusal);
                Err(refusal)
            }
        }
    }

    /// The Event of an owner whose pod was refused (pkg/controller/controller_utils.go `FailedCreatePodReason`).
    fn creation_failed(&mut self, pod: &Meta, refusal: &ApiError) {
        let Some(owner) = &pod.owner else { return };
        let about = About {
            kind: owner.kind,
            namespace: pod.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid,
            warning: true,
            component: match owner.kind {
                "ReplicaSet" => "replicaset-controller",
                "DaemonSet" => "daemonset-controller",
                "StatefulSet" => "statefulset-controller",
                "Job" => "job-controller",
                _ => "controller-manager",
            },
        };
        self.announce(&about, "FailedCreate", format!("Error creating: {refusal}"));
    }

    /// Adds a pod object and tells scheduler and history.
    pub(in crate::simulation) fn insert_pod(&mut self, meta: Meta, pod: Pod) -> u32 {
        let owner = meta.owner.as_ref().map(|owner| owner.uid);
        let (name, app) = (meta.name.to_string(), pod.app.to_string());
        self.charge_pod(&meta.namespace, &pod.template);
        let row = self.store.pods.insert(&mut self.store.versions, meta, pod);
        if let Some(owner) = owner {
            self.owned.entry(owner).or_default().insert(row);
        }
        self.note(What::PodCreated { pod: name, app });
        if let Some(row) = self.store.pods.shared(row).cloned() {
            self.guarded_changed(&row.meta.namespace, &row.meta.labels);
        }
        if let Some(it) = self
            .store
            .pods
            .shared(row)
            .filter(|it| it.body.template.needs.is_some())
            .cloned()
        {
            self.count_claims(row, &it.meta, &it.body.template, Present::Yes);
        }
        self.enqueue_pod(row);
        row
    }

    /// Asks for a pod's deletion; `grace` overrides its own. A pod without a node, one that has ended, and one with no grace
    /// go at once, whatever its kubelet says.
    pub(in crate::simulation) fn delete_pod(&mut self, pod: u32, cause: &str, grace: Option<Span>) {
        let Some(row) = self.store.pod(pod) else { return };
        let grace = grace.unwrap_or(row.body.template.grace);
        let at_once = grace == Span::ZERO || row.body.node.is_none() || row.body.is_finished();
        let deleting = row.meta.deletion.is_some();
        if deleting && !at_once {
            return;
        }
        if !deleting {
            let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
            self.note(What::PodDeleted {
                pod: name,
                app,
                cause: cause.to_owned(),
            });
        }
        if at_once {
            self.remove_pod(pod);
            return;
        }
        let now = self.now;
        self.store
            .change_pod(pod, |row| row.meta.deletion = Some(Deletion { at: now, grace }));
        if cause != "preempted" {
            self.scheduler.set_leaving(PodId(pod), Leaving::Deleted);
        }
        self.pod_changed(pod);
        let notice = draw(&mut self.chance.kubelets, self.profile.kubelet.notice);
        self.after(notice, Event::Stop(pod));
    }

    /// Removes a pod object.
    pub(in crate::simulation) fn remove_pod(&mut self, pod: u32) {
        if self.store.pod(pod).is_some_and(|row| !row.meta.finalizers.is_empty()) {
            return self.hold_pod(pod);
        }
        // Those whom the pod concerns are told while its object can still be read.
        self.pod_changed(pod);
        self.job_pod_gone(pod);
        let Some(row) = self.store.pods.remove(&mut self.store.versions, pod) else {
            return;
        };
        if let Some(owner) = &row.meta.owner {
            if let Some(pods) = self.owned.get_mut(&owner.uid) {
                pods.remove(&pod);
            }
            if owner.kind == "ReplicaSet" {
                self.pod_of_set_gone(owner.row);
            }
        }
        self.left(&row.meta, Place::new(PODS, pod));
        self.volumes_left(pod, &row.meta, &row.body.template, row.body.node);
        self.moves += 1;
        self.scheduler.remove_pod(PodId(pod));
        self.scheduler.withdraw(PodId(pod));
        self.pending.forget(pod);
        self.note(What::PodGone {
            pod: row.meta.name.to_string(),
            app: row.body.app.to_string(),
        });
        self.room_appeared();
        if row.body.node.is_some() {
            let notice = draw(&mut self.chance.kubelets, self.profile.kubelet.notice);
            self.after(notice, Event::Stop(pod));
        }
    }

    /// A pod that would be removed but for its finalizers: it stays, and its grace period is over.
    fn hold_pod(&mut self, pod: u32) {
        let now = self.now;
        self.store.change_pod(pod, |row| {
            let at = row.meta.deletion.map_or(now, |deletion| deletion.at);
            row.meta.deletion = Some(Deletion { at, grace: Span::ZERO });
        });
        self.pod_changed(pod);
    }

    /// Tells the controllers that a pod changed: its owner's and those of the Services that select it.
    pub(in crate::simulation) fn pod_changed(&mut self, pod: u32) {
        let Some(row) = self.store.pods.shared(pod).cloned() else {
            return;
        };
        match row.meta.owner.as_ref() {
            Some(owner) if owner.kind == "ReplicaSet" => self.replica_set_changed(owner.row),
            Some(owner) if owner.kind == "StatefulSet" => self.stateful_set_changed(owner.row),
            Some(owner) if owner.kind == "DaemonSet" => self.daemon_sets_changed(),
            Some(owner) if owner.kind == "Job" => self.job_pod_changed(owner.row),
            _ => {}
        }
        self.usage_changed(&row.meta.namespace);
        self.selected_by(&row.meta.namespace, &row.meta.labels);
        self.guarded_changed(&row.meta.namespace, &row.meta.labels);
    }
}
