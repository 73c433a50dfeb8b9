//! What the store refuses, in Kubernetes' words.

use crate::simulation::api::{ApiError, Resource};

pub(super) fn missing(resource: &Resource, name: &str) -> ApiError {
    ApiError::NotFound {
        plural: resource.qualified(),
        name: name.to_owned(),
    }
}

/// `Deployment.apps`: a kind as error messages write it.
pub(super) fn full_kind(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.kind.to_string()
    } else {
        format!("{}.{}", resource.kind, resource.group)
    }
}

pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> ApiError {
    ApiError::Conflict {
        plural: resource.qualified(),
        name: name.to_owned(),
        why: why.to_owned(),
    }
}
