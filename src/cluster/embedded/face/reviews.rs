//! Reviews: questions about what the client may do. Whoever has the token may do everything.

use http::StatusCode;
use serde_json::{Value, json};

use super::response::{self, Answer};
use super::status::Refusal;
use super::writing::json_body;

/// A question, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Review {
    /// `kubectl auth can-i VERB RESOURCE`.
    Access,
    /// `kubectl auth can-i --list`.
    Rules,
    /// `kubectl auth whoami`.
    Subject,
}

impl Review {
    /// The review that a path names.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Self::Access,
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => Self::Rules,
            "/apis/authentication.k8s.io/v1/selfsubjectreviews" => Self::Subject,
            _ => return None,
        })
    }

    /// The answer: the question with a status.
    pub(super) fn answer(self, body: &[u8]) -> Result<Answer, Refusal> {
        let question = json_body(body)?;
        let (group, kind, status) = match self {
            Self::Access => ("authorization", "SelfSubjectAccessReview", json!({"allowed": true})),
            Self::Rules => (
                "authorization",
                "SelfSubjectRulesReview",
                json!({
                    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    "incomplete": false,
                }),
            ),
            Self::Subject => (
                "authentication",
                "SelfSubjectReview",
                json!({"userInfo": {"username": "steadfast", "groups": ["system:masters", "system:authenticated"]}}),
            ),
        };
        let spec = question.get("spec").cloned().unwrap_or(Value::Null);
        let mut answer = json!({
            "kind": kind, "apiVersion": format!("{group}.k8s.io/v1"), "metadata": {"creationTimestamp": null}, "status": status,
        });
        if !spec.is_null() {
            answer["spec"] = spec;
        }
        Ok(response::json(StatusCode::CREATED, &answer))
    }
}
