//! Running an experiment: steady state, fault, observation, history.

use std::time::Duration;

use super::{Experiment, ExperimentError, Fault, Hypotheses, Observation, Report};
use crate::app::Claimed;
use crate::cluster::Cluster;
use crate::model::experiment::{Afterwards, Plan, Verdict};
use crate::model::journey::Journey;

/// The steady state: this many seconds in a row in which every slot of every journey is good.
pub const STEADY: u32 = 30;
/// It must be reached within this time from the start of the load: JVMs take up to two minutes, most of it passes before.
pub const STEADY_WITHIN: Duration = Duration::from_secs(300);
/// After the observation, slots under way may take this long to end: nine requests of 5 s each.
pub const DRAIN: Duration = Duration::from_secs(45);
/// The length of a window in which recovery is judged; no observation is shorter.
const WINDOW: Duration = Duration::from_secs(10);

impl Experiment<Hypotheses, Fault, Observation> {
    /// Checks the steady state under load, injects the fault, observes, and judges.
    ///
    /// # Errors
    /// When the experiment cannot be run. A violated hypothesis is no error: see [`Report::verdict`].
    pub async fn run(self, cluster: &Cluster) -> Result<Report, ExperimentError> {
        let plan = self.plan()?;
        let (application, namespace, journeys) = self.load()?;
        // Targets are looked for before anything is touched.
        let faults: Vec<_> = plan.faults().cloned().collect();
        cluster.targets(&faults).await?;
        cluster.settle().await;
        cluster.start_load(&namespace, &journeys).await?;
        let steady = until_steady(cluster).await?;
        cluster.note_steady_state(STEADY, steady)?;
        if steady {
            let targets = cluster.targets(&faults).await?;
            let mut scopes = Vec::new();
            for (fault, nodes) in faults.iter().zip(targets) {
                scopes.push(cluster.begin(fault, nodes).await?);
            }
            tokio::time::sleep(plan.observe).await;
            cluster.stop_load()?;
            if plan.afterwards == Afterwards::Healed {
                for scope in scopes {
                    cluster.heal(scope).await?;
                }
            }
            cluster.drain(DRAIN).await;
        }
        Ok(Report::new(cluster.finish(&plan, &application).await?))
    }

    /// The experiment as data.
    ///
    /// # Errors
    /// When it expects what cannot be expected, or observes for too short a time.
    pub fn plan(&self) -> Result<Plan, ExperimentError> {
        if !matches!(self.expected, Verdict::Held | Verdict::Violated) {
            return Err(ExperimentError::CannotExpect(self.expected));
        }
        if self.observation.0 < WINDOW {
            return Err(ExperimentError::TooShort(self.observation.0));
        }
        Ok(Plan {
            name: self.name.clone(),
            hypotheses: self
                .hypotheses
                .0
                .iter()
                .map(|claimed| claimed.hypothesis.clone())
                .collect(),
            fault: self.fault.0[0].clone(),
            more_faults: self.fault.0[1..].to_vec(),
            afterwards: self.afterwards,
            observe: self.observation.0,
            expected: self.expected,
        })
    }

    /// The application, its namespace and the journeys that the hypotheses are about, each once, in their order.
    ///
    /// # Errors
    /// When two different journeys share a name.
    #[expect(clippy::type_complexity, reason = "three plain things, named in the line above")]
    pub fn load(&self) -> Result<(String, String, Vec<(String, Journey)>), ExperimentError> {
        let mut journeys: Vec<(String, Journey)> = Vec::new();
        let (mut application, mut namespace) = (String::new(), String::new());
        for Claimed { subject, .. } in &self.hypotheses.0 {
            application = subject.app.to_string();
            namespace = subject.namespace.to_string();
            match journeys.iter().find(|(name, _)| *name == subject.name) {
                None => journeys.push((subject.name.clone(), subject.journey.clone())),
                Some((_, journey)) if *journey == subject.journey => {}
                Some(_) => return Err(ExperimentError::Ambiguous(subject.name.clone())),
            }
        }
        Ok((application, namespace, journeys))
    }
}

async fn until_steady(cluster: &Cluster) -> Result<bool, ExperimentError> {
    for _ in 0..STEADY_WITHIN.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if cluster.is_steady(STEADY)? {
            return Ok(true);
        }
    }
    Ok(false)
}
