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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{analyse, judge};
    use crate::model::experiment::Verdict;
    use crate::model::fault::{Fault, NodeFailure, PodFailure};
    use crate::model::history::sample::{at, healthy};

    fn node() -> String {
        "a".into()
    }

    fn not_ready() -> What {
        What::NodeNotReady {
            node: node(),
            status: "Unknown".into(),
        }
    }

    fn impaired(how: &str) -> What {
        What::MachineImpaired {
            node: node(),
            how: how.into(),
        }
    }

    fn back() -> What {
        What::MachineBack {
            node: node(),
            how: "resumed".into(),
        }
    }

    fn evicted() -> What {
        What::PodDeleted {
            pod: "carts-1".into(),
            app: "carts".into(),
            cause: "eviction".into(),
        }
    }

    /// The sample's run with this fault and these events of it, and nothing else of a fault.
    fn run(fault: impl Into<Fault>, events: &[What]) -> (Verdict, String) {
        let mut history = healthy();
        let fault = fault.into();
        history.forget(|what| {
            matches!(
                what,
                What::NodeNotReady { .. } | What::NodeDeleted { .. } | What::MachineLost { .. }
            )
        });
        for event in &mut history.events {
            if let What::Injected { fault: name, .. } = &mut event.what {
                fault.name().clone_into(name);
            }
        }
        history.header.plan.fault = fault;
        for (index, what) in events.iter().enumerate() {
            history.add(at(101 + index as u64), what.clone());
        }
        let judgement = judge(&history, &analyse(&history));
        (judgement.verdict, judgement.reasons.join("; "))
    }

    #[test]
    fn each_mode_needs_every_piece_of_its_evidence() {
        let lost = || What::MachineLost { node: node() };
        let cordoned = || What::NodeCordoned { node: node() };
        let deleted = || What::NodeDeleted {
            node: node(),
            by: "fault".into(),
        };
        let refused = || What::EvictionRefused {
            pod: "carts-1".into(),
            app: "carts".into(),
            reason: "its budget".into(),
        };
        let notice = || What::InterruptionNotice { node: node() };
        let cases: Vec<(NodeFailure, Vec<What>)> = vec![
            (NodeFailure::kill().count(1), vec![lost(), not_ready()]),
            (NodeFailure::kill().count(1), vec![lost(), back()]),
            (NodeFailure::stop().count(1), vec![lost(), not_ready()]),
            (NodeFailure::reboot().count(1), vec![lost(), back()]),
            (NodeFailure::freeze().count(1), vec![impaired("frozen"), not_ready()]),
            (NodeFailure::freeze().count(1), vec![impaired("frozen"), back()]),
            (NodeFailure::isolate().count(1), vec![impaired("isolated"), not_ready()]),
            (
                NodeFailure::stop_kubelet().count(1),
                vec![impaired("kubelet-stopped"), not_ready()],
            ),
            (NodeFailure::delete().count(1), vec![deleted()]),
            (NodeFailure::remove().count(1), vec![deleted(), lost()]),
            (NodeFailure::drain().count(1), vec![cordoned(), evicted()]),
            (NodeFailure::drain().count(1), vec![cordoned(), refused()]),
            (NodeFailure::interrupt().count(1), vec![notice(), lost(), not_ready()]),
        ];
        for (fault, events) in cases {
            let (verdict, reasons) = run(fault.clone(), &events);
            assert_eq!(verdict, Verdict::Held, "{fault:?}: {reasons}");
            for missing in 0..events.len() {
                let mut rest = events.clone();
                rest.remove(missing);
                let (verdict, reasons) = run(fault.clone(), &rest);
                assert_eq!(
                    verdict,
                    Verdict::Inconclusive,
                    "{fault:?} without {:?}",
                    events[missing]
                );
                assert!(reasons.starts_with("node a: "), "{reasons}");
            }
        }
    }

    #[test]
    fn what_another_mode_does_is_no_evidence() {
        assert_eq!(
            run(NodeFailure::freeze().count(1), &[impaired("isolated"), not_ready()]).1,
            "node a: it was not seen to be frozen"
        );
        assert_eq!(
            run(PodFailure::delete().app("carts"), &[evicted()]).1,
            "pod carts-1: it was not seen to be deleted by the fault"
        );
    }
}
