//! PersistentVolumeClaims, PersistentVolumes, StorageClasses and VolumeAttachments.

use serde_json::{Value, json};

use super::{copy, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::resources::{CLAIMS, STORAGE_CLASSES, VOLUME_ATTACHMENTS, VOLUMES};
use crate::simulation::objects::storage::{Claim, ClaimPhase, StorageClass, Volume, VolumeAttachment};
use crate::simulation::objects::table::Row;

impl Project for Row<Claim> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(CLAIMS, &self.meta);
        let mut spec = copy(&body.spec);
        if let Some(class) = &body.class {
            put(&mut spec, "storageClassName", &**class);
        }
        if let Some(volume) = &body.volume {
            put(&mut spec, "volumeName", &**volume);
        }
        put(&mut all, "spec", spec);
        let mut status = json!({"phase": body.phase.name()});
        if body.phase == ClaimPhase::Bound {
            status["accessModes"] = json!(body.modes.words());
            status["capacity"] = json!({"storage": bytes(body.capacity)});
        }
        put(&mut all, "status", status);
        all.into()
    }
}

impl Project for Row<Volume> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(VOLUMES, &self.meta);
        let mut spec = copy(&body.spec);
        if let Some((namespace, name, uid)) = &body.claim {
            let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": &**namespace, "name": &**name});
            if let Some(uid) = uid {
                claim["uid"] = uid_text(*uid).into();
            }
            put(&mut spec, "claimRef", claim);
        }
        put(&mut all, "spec", spec);
        put(&mut all, "status", json!({"phase": body.phase.name()}));
        all.into()
    }
}

impl Project for Row<StorageClass> {
    fn project(&self) -> Value {
        let mut all = copy(&self.body.rest);
        all.append(&mut metadata::object(STORAGE_CLASSES, &self.meta));
        all.into()
    }
}

impl Project for Row<VolumeAttachment> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(VOLUME_ATTACHMENTS, &self.meta);
        let source = json!({"persistentVolumeName": &*body.volume});
        put(
            &mut all,
            "spec",
            json!({"attacher": &*body.attacher, "nodeName": &*body.node, "source": source}),
        );
        put(&mut all, "status", json!({"attached": body.attached}));
        all.into()
    }
}

/// Bytes as a quantity, in the largest binary unit that divides them.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let unit = units
        .iter()
        .find(|(_, shift)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or_else(
        || bytes.to_string(),
        |(unit, shift)| format!("{}{unit}", bytes >> shift),
    )
}
