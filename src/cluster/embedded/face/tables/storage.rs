//! Volumes.

use super::Printer;
use super::columns::{AGE, NAME, column};
use super::look::Look;

pub(super) const PERSISTENT_VOLUMES: Printer = Printer {
    columns: &[
        NAME,
        column("Capacity"),
        column("Access Modes"),
        column("Reclaim Policy"),
        column("Status"),
        column("Claim"),
        column("StorageClass"),
        column("VolumeAttributesClass"),
        column("Reason"),
        AGE,
        column("VolumeMode").wide(),
    ],
    cells: |it| {
        let claim = if it.at("/spec/claimRef").is_absent() {
            String::new()
        } else {
            format!(
                "{}/{}",
                it.text("/spec/claimRef/namespace"),
                it.text("/spec/claimRef/name")
            )
        };
        vec![
            it.name(),
            it.either("/spec/capacity/storage").into(),
            modes(*it, "/spec/accessModes").into(),
            it.text("/spec/persistentVolumeReclaimPolicy").into(),
            phase(*it).into(),
            claim.into(),
            class(*it).into(),
            it.text_or("/spec/volumeAttributesClassName", "<unset>").into(),
            it.text("/status/reason").into(),
            it.age(),
            it.text_or("/spec/volumeMode", "<unset>").into(),
        ]
    },
};

pub(super) const PERSISTENT_VOLUME_CLAIMS: Printer = Printer {
    columns: &[
        NAME,
        column("Status"),
        column("Volume"),
        column("Capacity"),
        column("Access Modes"),
        column("StorageClass"),
        column("VolumeAttributesClass"),
        AGE,
        column("VolumeMode").wide(),
    ],
    cells: |it| {
        let (mut capacity, mut access) = (String::new(), String::new());
        if !it.text("/spec/volumeName").is_empty() {
            capacity = it.either("/status/capacity/storage");
            access = modes(*it, "/status/accessModes");
        }
        vec![
            it.name(),
            phase(*it).into(),
            it.text("/spec/volumeName").into(),
            capacity.into(),
            access.into(),
            class(*it).into(),
            it.text_or("/spec/volumeAttributesClassName", "<unset>").into(),
            it.age(),
            it.text_or("/spec/volumeMode", "<unset>").into(),
        ]
    },
};

pub(super) const STORAGE_CLASSES: Printer = Printer {
    columns: &[
        NAME,
        column("Provisioner"),
        column("ReclaimPolicy"),
        column("VolumeBindingMode"),
        column("AllowVolumeExpansion"),
        AGE,
    ],
    cells: |it| {
        // pkg/apis/storage/util/helpers.go: IsDefaultAnnotation
        const DEFAULT: [&str; 2] = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        let mut name = it.text("/metadata/name").to_owned();
        if DEFAULT.iter().any(|key| it.annotation(key) == Some("true")) {
            name.push_str(" (default)");
        }
        vec![
            name.into(),
            it.text("/provisioner").into(),
            it.text_or("/reclaimPolicy", "Delete").into(),
            it.text_or("/volumeBindingMode", "Immediate").into(),
            it.is_true("/allowVolumeExpansion").into(),
            it.age(),
        ]
    },
};

pub(super) const VOLUME_ATTACHMENTS: Printer = Printer {
    columns: &[
        NAME,
        column("Attacher").name(),
        column("PV"),
        column("Node"),
        column("Attached").switch(),
        AGE,
    ],
    cells: |it| {
        vec![
            it.name(),
            it.text("/spec/attacher").into(),
            it.text("/spec/source/persistentVolumeName").into(),
            it.text("/spec/nodeName").into(),
            it.is_true("/status/attached").into(),
            it.age(),
        ]
    },
};

fn phase(it: Look<'_>) -> &str {
    if it.at("/metadata/deletionTimestamp").is_absent() {
        it.text("/status/phase")
    } else {
        "Terminating"
    }
}

/// `pkg/apis/core/helper/helpers.go`: `GetPersistentVolumeClass`.
fn class(it: Look<'_>) -> &str {
    it.annotation("volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| it.text("/spec/storageClassName"))
}

/// `pkg/apis/core/helper/helpers.go`: `GetAccessModesAsString`.
fn modes(it: Look, path: &str) -> String {
    const MODES: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| it.items(path).any(|item| item.value() == mode);
    let short: Vec<&str> = MODES
        .iter()
        .filter(|(mode, _)| has(mode))
        .map(|(_, short)| *short)
        .collect();
    short.join(",")
}
