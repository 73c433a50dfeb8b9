//! Whether a node's kubelet is there *now*.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::runtime::wait::await_condition;

use super::KindError;
use crate::model::history::FailureKind;

/// Where kubelets keep their leases: k8s.io/api `core/v1/types.go` `NamespaceNodeLease`.
const LEASES: &str = "kube-node-lease";

/// Waits until a node's Ready condition is True and its kubelet has renewed its lease since the call, or the node has registered since: a
/// node that was killed a moment ago still reads Ready.
pub(crate) async fn until_ready(client: &kube::Client, node: &str, within: Duration) -> Result<(), KindError> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
    let nodes: Api<Node> = Api::all(client.clone());
    let renewed = |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref())?;
        spec.renew_time.as_ref().map(|at| at.0.as_microsecond())
    };
    let before = renewed(leases.get_opt(node).await?.as_ref());
    let both = async {
        await_condition(leases, node, move |lease: Option<&Lease>| {
            renewed(lease).is_some_and(|at| Some(at) > before)
        })
        .await?;
        await_condition(nodes, node, |node: Option<&Node>| node.is_some_and(is_ready)).await
    };
    match tokio::time::timeout(within, both).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(KindError::Watch(error.to_string())),
        Err(_) => Err(KindError::NotReady {
            node: node.to_owned(),
            after_s: within.as_secs(),
        }),
    }
}

pub(crate) fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether the API server says that it is ready.
pub(crate) async fn is_up(client: &kube::Client) -> Result<(), FailureKind> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(|_| FailureKind::Content)?;
    client
        .request_text(request)
        .await
        .map(drop)
        .map_err(|error| match error {
            kube::Error::Api(status) => FailureKind::Status(status.code),
            _ => FailureKind::Reset,
        })
}
