//! What an experiment needs, made of the command line.

use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::args::{Args, Run};
use super::error::CliError;
use crate::app::{App, Claimed};
use crate::cluster::{Cluster, ClusterError};
use crate::experiment::{Experiment, Fault, Hypotheses, Observation};
use crate::model::experiment::Verdict;
use crate::model::fault::NodeFailure;
use crate::model::profile::Profile;

/// The experiment's name: that of the workshop's FIS template.
pub(super) const NAME: &str = "terminate-eks-nodes";

/// The share of the nodes that fails when the command line names no target: the workshop's `instanceTerminationPercentage`.
const PERCENT: u8 = 40;

/// «Up» in an experiment of one's own: as everywhere in steadfast.
const UP: f64 = 0.99;

/// «Up» in the story: not dark. The sock shop cannot do better, whatever its replicas: its front-end crashes on `POST /cart` while
/// a new catalogue pod is Ready but not yet listening, and its JVMs are Ready a minute or two before they serve.
pub const NOT_DARK: f64 = 0.10;

/// The windows in which recovery is judged.
const WINDOW: Duration = Duration::from_secs(10);

/// What both experiments of the story, or the one of a manifest, share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster's profile, its number of nodes included.
    pub profile: Arc<Profile>,
    /// The seed asked for.
    pub seed: u64,
    /// The fault.
    pub fault: NodeFailure,
    /// The length of the observation.
    pub observe: Duration,
    /// The time to recover in.
    pub within: Duration,
    /// The share of good slots that «up» needs.
    pub slots: f64,
    /// Journeys started per second, instead of the model's number.
    pub rate: Option<u32>,
}

impl Settings {
    /// The settings of a command line.
    ///
    /// # Errors
    /// When its values make no sense together.
    pub fn new(args: &Run) -> Result<Self, CliError> {
        let mut profile = Profile::built_in(&args.profile).map_err(ClusterError::from)?;
        if let Some(nodes) = args.nodes {
            profile.nodes.count = nodes;
        }
        let least = args.within.saturating_add(WINDOW);
        if args.observe < least {
            return Err(usage(format!(
                "--observe {:?} is too short to see recovery within {:?}: observe for at least {least:?}",
                args.observe, args.within
            )));
        }
        if args.return_after.is_some() && !args.fault.can_return() {
            return Err(usage(format!(
                "--return-after: {} cannot return after a time; its scaling group replaces it, or it ends by itself",
                args.fault.name()
            )));
        }
        if args.manifest.is_none() && profile.autoscaler.is_none() {
            return Err(usage(format!(
                "the story needs a Cluster Autoscaler, and the profile `{}` has none: use --profile eks-workshop, or run one \
                 experiment with --manifest",
                args.profile
            )));
        }
        Ok(Self {
            profile: Arc::new(profile),
            seed: args.seed,
            fault: fault(args),
            observe: args.observe,
            within: args.within,
            slots: args
                .slots
                .unwrap_or(if args.manifest.is_some() { UP } else { NOT_DARK }),
            rate: args.rate,
        })
    }

    /// A fresh cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn cluster(&self, seed: u64) -> Result<Cluster, ClusterError> {
        let profile = Profile::clone(&self.profile);
        Cluster::embedded().custom_profile(profile).seed(seed).start().await
    }

    /// The experiment on an application: every journey recovers in time and stays up.
    ///
    /// # Errors
    /// When the application has no journeys.
    pub fn experiment(
        &self,
        app: &App,
        expected: Verdict,
    ) -> Result<Experiment<Hypotheses, Fault, Observation>, CliError> {
        let claims: Vec<Claimed> = app
            .journeys()
            .map(|name| {
                let subject = app.journey(name)?;
                let subject = match self.rate {
                    Some(rate) => subject.rate(rate),
                    None => subject,
                };
                Ok(subject.recovers_within(self.within).of_slots(self.slots..))
            })
            .collect::<Result<_, crate::app::AppError>>()?;
        let mut claims = claims.into_iter();
        let first = claims.next().ok_or_else(|| CliError::NoJourneys {
            model: format!("the model of {}", app.name()),
        })?;
        let first = Experiment::new(NAME).hypothesis(first);
        Ok(claims
            .fold(first, Experiment::<Hypotheses, _, _>::hypothesis)
            .fault(self.fault.clone())
            .observe_for(self.observe)
            .expect(expected))
    }

    /// The share of good slots that «up» needs, in parts in a million.
    #[must_use]
    #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
    pub fn slots_ppm(&self) -> u32 {
        (self.slots * 1_000_000.0).round() as u32
    }
}

fn fault(args: &Run) -> NodeFailure {
    let untargeted = NodeFailure::mode(args.fault);
    let mut failure = if let Some(count) = args.count {
        untargeted.count(count)
    } else if let Some(node) = &args.node {
        untargeted.name(node)
    } else if let Some((key, value)) = &args.label {
        untargeted.label(key, value)
    } else if let Some(zone) = &args.zone {
        untargeted.zone(zone)
    } else {
        untargeted.percent(args.percent.unwrap_or(PERCENT))
    };
    failure.return_after = args.return_after;
    failure.stagger = args.stagger;
    failure
}

fn usage(message: String) -> CliError {
    CliError::Usage(Box::new(Args::command().error(ErrorKind::ValueValidation, message)))
}
