//! What makes a StatefulSet's pod itself: its name, labels, and claims.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{REVISION, about, pod_of};
use crate::simulation::api::ApiStore as _;
use crate::simulation::control::revisions::Revised;
use crate::simulation::event::Event;
use crate::simulation::objects::meta::{Meta, Owner, Reference, uid_text};
use crate::simulation::objects::needs::{ClaimUse, Needs};
use crate::simulation::objects::resources::CLAIMS;
use crate::simulation::objects::stateful_set::{Retention, StatefulSet};
use crate::simulation::objects::table::Row;
use crate::simulation::objects::template::PodTemplate;
use crate::simulation::server::tables::Place;
use crate::simulation::world::{About, World};

/// The label with the pod's name. Source: k8s.io/api apps/v1 types.go `StatefulSetPodNameLabel`.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// The label with its ordinal. Source: the same, `PodIndexLabel`.
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

impl World {
    /// Creates the pod of an ordinal, its claims first.
    pub(super) fn create_stateful_pod(&mut self, row: u32, set: &Row<StatefulSet>, ordinal: u32, revision: &Revised) {
        let name = format!("{}-{ordinal}", set.meta.name);
        let namespace = set.meta.namespace.clone();
        if self.namespace_closed(&namespace) || self.store.pods.contains(&namespace, &name) {
            return;
        }
        if !self.create_claims(set, ordinal) {
            return;
        }
        let template = template(set, &name, ordinal, revision);
        let mut meta = Meta {
            name: name.as_str().into(),
            namespace,
            created: self.now,
            labels: template.labels.clone(),
            annotations: template.annotations.clone(),
            owner: Some(Owner {
                api_version: "apps/v1",
                kind: "StatefulSet",
                name: set.meta.name.clone(),
                uid: set.meta.uid,
                row,
            }),
            generate_name: Some(format!("{}-", set.meta.name).into()),
            generation: 1,
            ..Meta::default()
        };
        let mut pod = pod_of(set, template);
        if let Err(refusal) = self.admit_pod(&mut meta, &mut pod) {
            let message = format!(
                "create Pod {name} in StatefulSet {} failed error: {refusal}",
                set.meta.name
            );
            let about = About {
                warning: true,
                ..about(set)
            };
            self.announce(&about, "FailedCreate", message);
            let pause = self.retry_of(set.meta.uid);
            return self.after(pause, Event::StatefulSet(row));
        }
        self.no_longer_refused(set.meta.uid);
        self.insert_pod(meta, pod);
        let message = format!("Create Pod {name} in StatefulSet {} successful", set.meta.name);
        self.announce(&about(set), "SuccessfulCreate", message);
    }

    /// Creates the claims of an ordinal that are missing. False: one is being deleted, its pod has to wait (`PodClaimIsStale`).
    pub(super) fn create_claims(&mut self, set: &Row<StatefulSet>, ordinal: u32) -> bool {
        for claim in &*set.body.claims {
            let pod = format!("{}-{ordinal}", set.meta.name);
            let name = format!("{}-{pod}", claim.name);
            let namespace = set.meta.namespace.clone();
            if let Some(row) = self.store.claims.find(&namespace, &name) {
                if self
                    .store
                    .claims
                    .get(row)
                    .is_some_and(|row| row.meta.deletion.is_some())
                {
                    return false;
                }
                continue;
            }
            let mut object = (*claim.object).clone();
            object["metadata"]["name"] = json!(name);
            object["metadata"]["namespace"] = json!(&*namespace);
            for requirement in &set.body.selector.0 {
                // `getPersistentVolumeClaims`: the selector's labels, too.
                if let crate::simulation::objects::selector::Test::In(values) = &requirement.test
                    && let [value] = values.as_slice()
                {
                    object["metadata"]["labels"][&requirement.key] = json!(value);
                }
            }
            match self.create(CLAIMS, object, false) {
                Ok(_) => {
                    let set_name = &set.meta.name;
                    let message = format!("Create Claim {name} Pod {pod} in StatefulSet {set_name} success");
                    self.announce(&about(set), "SuccessfulCreate", message);
                }
                Err(error) => {
                    let set_name = &set.meta.name;
                    let message =
                        format!("Create Claim {name} for Pod {pod} in StatefulSet {set_name} failed error: {error}");
                    let about = About {
                        warning: true,
                        ..about(set)
                    };
                    self.announce(&about, "FailedCreate", message);
                    return false;
                }
            }
            if set.body.when_deleted == Retention::Delete
                && let Some(place) = self.place(CLAIMS, &namespace, &name)
            {
                self.own(place, "apps/v1", "StatefulSet", &set.meta);
            }
        }
        true
    }

    /// A pod that scaling takes owns its claims where they are to go with it.
    pub(super) fn condemn(&mut self, set: &Row<StatefulSet>, pod: u32) {
        if set.body.when_scaled == Retention::Retain {
            return;
        }
        let Some(meta) = self.store.pod(pod).map(|row| row.meta.clone()) else {
            return;
        };
        for claim in &*set.body.claims {
            let name = format!("{}-{}", claim.name, meta.name);
            if let Some(place) = self.place(CLAIMS, &meta.namespace, &name) {
                self.own(place, "v1", "Pod", &meta);
            }
        }
    }

    /// Gives an object an owner.
    fn own(&mut self, place: Place, api_version: &str, kind: &str, owner: &Meta) {
        let reference = Reference {
            api_version: api_version.into(),
            kind: kind.into(),
            name: owner.name.clone(),
            uid: uid_text(owner.uid).into(),
            controller: Some(true),
            blocks: Some(true),
        };
        self.change_meta(place, |meta| meta.references = Some(Arc::new([reference])));
        self.depend(owner.uid, place);
    }
}

/// The template of one pod: the revision's, with the pod's own identity and claims.
fn template(set: &Row<StatefulSet>, name: &str, ordinal: u32, revision: &Revised) -> PodTemplate {
    let mut template = PodTemplate::clone(&revision.template);
    let labels = Arc::make_mut(&mut template.labels);
    labels.insert(POD_NAME.to_owned(), name.to_owned());
    labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
    labels.insert(REVISION.to_owned(), revision.name.to_string());
    let mut spec = (*template.spec).clone();
    spec["hostname"] = json!(name);
    if !set.body.service.is_empty() {
        spec["subdomain"] = json!(&*set.body.service);
    }
    if !set.body.claims.is_empty() {
        let mut needs = template.needs.as_deref().cloned().unwrap_or_default();
        volumes(set, name, &mut spec, &mut needs);
        template.needs = Some(needs.into());
    }
    template.spec = Arc::new(spec);
    template
}

/// Volumes of the pod's own claims; they replace others of the same name.
fn volumes(set: &Row<StatefulSet>, pod: &str, spec: &mut Value, needs: &mut Needs) {
    let mut all = spec["volumes"].as_array().cloned().unwrap_or_default();
    for claim in &*set.body.claims {
        let name = format!("{}-{pod}", claim.name);
        all.retain(|volume| volume["name"] != claim.name.as_str());
        needs.claims.retain(|it| it.volume != claim.name);
        all.push(json!({"name": claim.name, "persistentVolumeClaim": {"claimName": name}}));
        needs.claims.push(ClaimUse {
            volume: claim.name.clone(),
            claim: name.into(),
        });
    }
    spec["volumes"] = all.into();
}
