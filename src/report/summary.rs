//! A run as JSON, for machines: versioned, and made of the same figures as every other report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunView;
use crate::analysis::figures::{claim, faults, from_documents};
use crate::analysis::{EndpointFacts, Finding, JourneyAnalysis, Measured};
use crate::model::experiment::Verdict;
use crate::model::history::{FailureKind, Victim};

/// The version of [`Summary`]. Fields may be added within a version.
pub const FORMAT: u32 = 1;

/// A run. Fields that end in `_us` are microseconds since the injection, in `_s` whole seconds, in `_ppm` parts in a million.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are named after those of the analysis, where they are documented"
)]
pub struct Summary {
    pub format: u32,
    pub application: String,
    pub experiment: String,
    pub fault: String,
    pub cluster: String,
    pub profile: String,
    pub seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<String>,
    pub observe_s: f64,
    pub expected: Verdict,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub evidence: Vec<String>,
    pub hypotheses: Vec<HypothesisSummary>,
    pub journeys: Vec<JourneySummary>,
    pub nodes: NodesSummary,
    pub victims: Vec<Victim>,
    pub endpoints: Vec<EndpointsSummary>,
    pub not_modelled: Vec<String>,
    pub assumed: Vec<String>,
    /// What of the faults rests on documents alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_documents: Vec<String>,
    /// The command that repeats the run.
    pub repeat: String,
}

/// A hypothesis with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct HypothesisSummary {
    pub journey: String,
    pub claim: String,
    /// `held`, `violated` or `unknown`.
    pub outcome: String,
    /// As reports write it, for example `99.9 %`.
    pub measured: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_ppm: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_after_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_outage_s: Option<u64>,
}

/// A journey's measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct JourneySummary {
    pub name: String,
    pub planned: u64,
    pub good: u64,
    pub failed: u64,
    pub not_sent: u64,
    pub unfinished: u64,
    pub availability_ppm: Option<u32>,
    pub bad_seconds: u64,
    pub longest_outage_s: u64,
    pub outages: Vec<OutageSummary>,
    pub recovered_after_s: Option<u64>,
    pub latency_p50_us: Option<u64>,
    pub latency_p99_us: Option<u64>,
    pub latency_max_us: Option<u64>,
    pub anomalies: u64,
    pub failures: Vec<FailureSummary>,
    pub phases: Vec<PhaseSummary>,
    pub milestones: Vec<MilestoneSummary>,
}

/// An outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct OutageSummary {
    pub start_s: u64,
    pub length_s: u64,
    pub open: bool,
}

/// Failed slots of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct FailureSummary {
    pub kind: FailureKind,
    pub count: u64,
}

/// Bad seconds of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct PhaseSummary {
    pub phase: String,
    pub seconds: u64,
}

/// When the victims on the path reached a milestone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct MilestoneSummary {
    pub milestone: String,
    pub first_us: u64,
    pub last_us: u64,
    pub reached: u32,
    pub victims: u32,
}

/// The nodes and the pods that waited for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct NodesSummary {
    pub before: u32,
    pub fewest: u32,
    pub most: u32,
    pub at_end: u32,
    pub struck: Vec<StruckSummary>,
    pub machines_started: BTreeMap<String, u32>,
    pub unschedulable_pods: u32,
    pub still_pending_pods: u32,
    pub longest_pending_us: u64,
    pub unschedulable_reasons: BTreeMap<String, u32>,
}

/// The ready endpoints of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct EndpointsSummary {
    pub service: String,
    pub before: u32,
    pub fewest: u32,
    /// How long there was none, in microseconds.
    pub empty_us: u64,
}

/// What became of a struck node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Summary`")]
pub struct StruckSummary {
    pub node: String,
    pub machine_lost_us: Option<u64>,
    pub not_ready_us: Option<u64>,
    pub deleted_us: Option<u64>,
    pub deleted_by: Option<String>,
    /// `frozen`, `isolated` or `kubelet-stopped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impaired: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impaired_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_again_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordoned_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_us: Option<u64>,
}

impl Summary {
    /// The summary of a run; `repeat` is the command that repeats it.
    #[must_use]
    pub fn new(run: &RunView<'_>, repeat: impl Into<String>) -> Self {
        let RunView {
            header,
            analysis,
            judgement,
        } = *run;
        Self {
            format: FORMAT,
            application: header.application.clone(),
            experiment: header.plan.name.clone(),
            fault: faults(&header.plan),
            from_documents: from_documents(&header.plan),
            cluster: header.cluster.clone(),
            profile: header.profile.clone(),
            seed: header.seed,
            simulation: header.simulation.clone(),
            observe_s: header.plan.observe.as_secs_f64(),
            expected: header.plan.expected,
            verdict: judgement.verdict,
            reasons: judgement.reasons.clone(),
            evidence: judgement.evidence.clone(),
            hypotheses: judgement.findings.iter().map(hypothesis).collect(),
            journeys: analysis.journeys.iter().map(journey).collect(),
            nodes: nodes(run),
            victims: analysis.victims.clone(),
            endpoints: analysis.endpoints.iter().map(endpoints).collect(),
            not_modelled: header.not_modelled.clone(),
            assumed: header.assumed.clone(),
            repeat: repeat.into(),
        }
    }

    /// As indented JSON with a line break at the end.
    ///
    /// # Errors
    /// None that a summary can cause; those of the JSON writer.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

fn hypothesis(finding: &Finding) -> HypothesisSummary {
    let mut summary = HypothesisSummary {
        journey: finding.hypothesis.journey.clone(),
        claim: claim(&finding.hypothesis.claim),
        outcome: finding.outcome.name().to_owned(),
        measured: finding.measured.describe(),
        availability_ppm: None,
        recovered_after_s: None,
        longest_outage_s: None,
    };
    match finding.measured {
        Measured::Availability(ppm) => summary.availability_ppm = Some(ppm),
        Measured::RecoveredAfter(after) => summary.recovered_after_s = after,
        Measured::LongestOutage { seconds, .. } => summary.longest_outage_s = Some(seconds),
        Measured::Nothing => {}
    }
    summary
}

fn journey(journey: &JourneyAnalysis) -> JourneySummary {
    let slots = journey.slots;
    JourneySummary {
        name: journey.name.clone(),
        planned: slots.planned,
        good: slots.good,
        failed: slots.failed,
        not_sent: slots.not_sent,
        unfinished: slots.unfinished,
        availability_ppm: journey.availability_ppm(),
        bad_seconds: journey.bad_seconds,
        longest_outage_s: journey.longest_outage(),
        outages: journey
            .outages
            .iter()
            .map(|outage| OutageSummary {
                start_s: outage.start,
                length_s: outage.seconds,
                open: outage.open,
            })
            .collect(),
        recovered_after_s: journey.recovered_at,
        latency_p50_us: journey.latency.p50,
        latency_p99_us: journey.latency.p99,
        latency_max_us: journey.latency.max,
        anomalies: journey.anomalies,
        failures: journey
            .failures
            .iter()
            .map(|&(kind, count)| FailureSummary { kind, count })
            .collect(),
        phases: journey
            .phases
            .iter()
            .map(|time| PhaseSummary {
                phase: time.phase.name().to_owned(),
                seconds: time.seconds,
            })
            .collect(),
        milestones: journey
            .milestones
            .iter()
            .map(|times| MilestoneSummary {
                milestone: times.milestone.name().to_owned(),
                first_us: times.first,
                last_us: times.last,
                reached: times.reached,
                victims: times.victims,
            })
            .collect(),
    }
}

fn endpoints(facts: &EndpointFacts) -> EndpointsSummary {
    EndpointsSummary {
        service: facts.service.clone(),
        before: facts.before,
        fewest: facts.fewest,
        empty_us: facts.empty,
    }
}

fn nodes(run: &RunView<'_>) -> NodesSummary {
    let (nodes, pods) = (&run.analysis.nodes, &run.analysis.pods);
    let struck = nodes.struck.iter().cloned().map(|node| StruckSummary {
        node: node.node,
        machine_lost_us: node.machine_lost,
        not_ready_us: node.not_ready,
        deleted_us: node.deleted,
        deleted_by: node.deleted_by,
        impaired_us: node.impaired.as_ref().map(|(t, _)| *t),
        impaired: node.impaired.map(|(_, how)| how),
        back_us: node.back,
        ready_again_us: node.ready_again,
        noticed_us: node.noticed,
        cordoned_us: node.cordoned,
        drained_us: node.drained,
    });
    NodesSummary {
        before: nodes.before,
        fewest: nodes.fewest,
        most: nodes.most,
        at_end: nodes.at_end,
        struck: struck.collect(),
        machines_started: nodes.machines.clone(),
        unschedulable_pods: pods.unschedulable,
        still_pending_pods: pods.still_pending,
        longest_pending_us: pods.longest_pending,
        unschedulable_reasons: pods.reasons.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{analyse, judge};
    use crate::model::history::What;
    use crate::model::history::sample::{OBSERVED, at, healthy};

    #[test]
    fn a_summary_carries_the_figures_of_the_analysis_and_reads_back() {
        let mut history = healthy();
        history.set(4, 0).set(OBSERVED - 1, 40);
        history.add(
            at(105),
            What::Endpoints {
                service: "carts".into(),
                ready: Vec::new(),
            },
        );
        history.add(
            at(120),
            What::PodUnschedulable {
                pod: "carts-2".into(),
                app: "carts".into(),
                reason: "Too many pods".into(),
            },
        );
        let analysis = analyse(&history);
        let judgement = judge(&history, &analysis);
        let run = RunView {
            header: &history.header,
            analysis: &analysis,
            judgement: &judgement,
        };
        let summary = Summary::new(&run, "cargo test");
        let json = summary.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
        assert!(
            json.starts_with("{\n  \"format\": 1,\n") && json.ends_with("}\n"),
            "{json}"
        );
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["verdict"], "held");
        assert_eq!(value["repeat"], "cargo test");
        assert_eq!(value["observe_s"], 60.0);
        assert_eq!(value["hypotheses"][0]["availability_ppm"], 973_333);
        assert_eq!(
            value["journeys"][0]["outages"][0],
            serde_json::json!({"start_s": 4, "length_s": 1, "open": false})
        );
        assert_eq!(value["journeys"][0]["outages"][1]["open"], true);
        assert_eq!(
            value["journeys"][0]["failures"][0],
            serde_json::json!({"kind": "connect-timeout", "count": 160})
        );
        assert_eq!(value["nodes"]["struck"][0]["not_ready_us"], 10_000_000);
        assert_eq!(value["nodes"]["unschedulable_reasons"]["Too many pods"], 1);
        assert_eq!(
            value["endpoints"][0],
            serde_json::json!({"service": "carts", "before": 0, "fewest": 0, "empty_us": 60_000_000})
        );
        assert_eq!(value["victims"][1]["pod"], "front-end-1");
        assert!(value["hypotheses"][0].get("longest_outage_s").is_none());
    }
}
