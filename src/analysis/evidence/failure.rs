//! That a fault was seen to happen: each mode has evidence of its own.

use super::{Check, Victim, What, Window, counted, seconds};
use crate::analysis::nodes::StruckNode;
use crate::model::fault::Mode;
use crate::model::history::History;

/// The fault was seen to happen to a node. A machine that stops must have been seen from below Kubernetes *and*, unless it was back
/// before Kubernetes could notice, by it. Times are since the injection.
pub(super) fn failure(node: &StruckNode) -> Check {
    let name = &node.node;
    let Some(mode) = node.mode else {
        return Err(format!("node {name}: the history does not say how it was to fail"));
    };
    match mode {
        Mode::Terminate | Mode::Kill | Mode::Stop | Mode::Reboot => stopped(node, ""),
        Mode::Remove => {
            deleted_by_fault(node)?;
            stopped(node, "")
        }
        Mode::Freeze => impaired(node, "frozen"),
        Mode::Isolate => impaired(node, "isolated"),
        Mode::KubeletStop => impaired(node, "kubelet-stopped"),
        Mode::Delete => deleted_by_fault(node),
        Mode::Drain => drained(node),
        Mode::Interrupt => match node.noticed {
            None => Err(format!("node {name}: it got no notice of its interruption")),
            Some(noticed) => stopped(node, &format!("notice of interruption after {}, ", seconds(noticed))),
        },
    }
}

fn stopped(node: &StruckNode, before: &str) -> Check {
    let name = &node.node;
    let lost = node
        .machine_lost
        .ok_or_else(|| format!("node {name}: its machine was not seen to stop"))?;
    if node.not_ready.is_none() && node.deleted.is_none() && node.back.is_none() {
        return Err(format!(
            "node {name}: Kubernetes did not see it fail (neither NotReady nor deleted)"
        ));
    }
    let deleted = node.deleted.zip(node.deleted_by.as_ref());
    let deleted = deleted
        .map(|(t, by)| format!(", deleted by {by} after {}", seconds(t)))
        .unwrap_or_default();
    Ok(format!(
        "node {name}: {before}machine stopped after {}{}{deleted}{}",
        seconds(lost),
        not_ready(node),
        back(node)
    ))
}

fn not_ready(node: &StruckNode) -> String {
    node.not_ready
        .map(|t| format!(", NotReady after {}", seconds(t)))
        .unwrap_or_default()
}

fn back(node: &StruckNode) -> String {
    node.back
        .map(|t| format!(", back after {}", seconds(t)))
        .unwrap_or_default()
}

/// A machine that lives on: its state was seen from below, and Kubernetes missed its lease, or it was back before it could.
fn impaired(node: &StruckNode, how: &str) -> Check {
    let name = &node.node;
    let since = match &node.impaired {
        Some((t, what)) if what == how => *t,
        _ => return Err(format!("node {name}: it was not seen to be {how}")),
    };
    if node.not_ready.is_none() && node.deleted.is_none() && node.back.is_none() {
        return Err(format!(
            "node {name}: Kubernetes did not miss its lease (neither NotReady nor deleted)"
        ));
    }
    Ok(format!(
        "node {name}: {how} after {}{}{}",
        seconds(since),
        not_ready(node),
        back(node)
    ))
}

fn deleted_by_fault(node: &StruckNode) -> Check {
    let name = &node.node;
    match (node.deleted, node.deleted_by.as_deref()) {
        (Some(t), Some("fault")) => Ok(format!("node {name}: deleted by the fault after {}", seconds(t))),
        (_, Some(by)) => Err(format!("node {name}: its object was deleted by {by}, not by the fault")),
        _ => Err(format!("node {name}: its object was not deleted")),
    }
}

/// A drain was seen to cordon, and its evictions to be made or refused.
fn drained(node: &StruckNode) -> Check {
    let name = &node.node;
    let Some(cordoned) = node.cordoned else {
        return Err(format!("node {name}: it was not seen to be cordoned"));
    };
    if node.evicted == 0 && node.refused == 0 {
        return Err(format!("node {name}: no pod was evicted from it, nor refused to be"));
    }
    let refused = if node.refused > 0 {
        format!(", {} refused by a budget at first", node.refused)
    } else {
        String::new()
    };
    let drained = node.drained.map_or_else(
        || ", not drained at the end".into(),
        |t| format!(", drained after {}", seconds(t)),
    );
    Ok(format!(
        "node {name}: cordoned after {}, {} evicted{refused}{drained}",
        seconds(cordoned),
        counted(u64::from(node.evicted), "pod")
    ))
}

/// Every pod that was to be deleted was.
pub(super) fn deletion(history: &History, window: Window, victims: &[&Victim], first: u64) -> Check {
    if victims.is_empty() {
        return Err("delete-pods struck no pod".into());
    }
    let missing = victims.iter().find(|victim| {
        !history.events.iter().any(|event| {
            window.holds(event.t)
                && matches!(&event.what, What::PodDeleted { pod, cause, .. } if *pod == victim.pod && cause == "fault")
        })
    });
    match missing {
        Some(victim) => Err(format!(
            "pod {}: it was not seen to be deleted by the fault",
            victim.pod
        )),
        None => Ok(format!(
            "delete-pods deleted {} at {} of cluster time",
            counted(victims.len() as u64, "pod"),
            seconds(first)
        )),
    }
}
