//! The names of new objects.

use serde_json::{Value, json};

use super::super::listing::qualified;
use super::super::status::Refusal;
use crate::simulation::api::{ApiError, ApiStore, Resource};

/// `k8s.io/apimachinery/pkg/util/rand/rand.go`: no vowels and no lookalikes.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// `k8s.io/apiserver/pkg/storage/names/generate.go`: so many letters after a base, together at most 63.
const SUFFIX: usize = 5;
const BASE: usize = 63 - SUFFIX;

/// `k8s.io/apiserver/pkg/endpoints/handlers/create.go`, feature `RetryGenerateName`.
const TRIES: u64 = 8;

/// Sees to it that an object has a name: its own, or one made from its `generateName`.
pub(super) fn settle(
    store: &impl ApiStore,
    resource: &'static Resource,
    namespace: Option<&str>,
    object: &mut Value,
) -> Result<(), Refusal> {
    let metadata = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    if !metadata("name").is_empty() {
        return Ok(());
    }
    let base = metadata("generateName");
    if base.is_empty() {
        let group = if resource.group.is_empty() {
            String::new()
        } else {
            format!(".{}", resource.group)
        };
        return Err(Refusal::Store(ApiError::Invalid {
            kind: format!("{}{group}", resource.kind),
            name: String::new(),
            causes: vec![(
                "metadata.name".to_owned(),
                "Required value: name or generateName is required".to_owned(),
            )],
        }));
    }
    let base: String = base.chars().take(BASE).collect();
    let named = |attempt| format!("{base}{}", suffix(store.version(), attempt));
    let free = (0..TRIES)
        .map(named)
        .find(|name| store.get(resource, namespace, name).is_none());
    let name = free.ok_or_else(|| Refusal::NoFreeName {
        plural: qualified(resource),
        name: named(TRIES - 1),
    })?;
    object["metadata"]["name"] = json!(name);
    Ok(())
}

/// Letters that look drawn, and are the same in every run: they follow from the cluster's version.
fn suffix(version: u64, attempt: u64) -> String {
    // The finalizer of SplitMix64.
    let mut state = version
        .wrapping_mul(TRIES)
        .wrapping_add(attempt)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 31;
    let count = LETTERS.len() as u64;
    (0..SUFFIX)
        .map(|_| {
            let letter = usize::try_from(state % count).unwrap_or_default();
            state /= count;
            char::from(LETTERS[letter])
        })
        .collect()
}
