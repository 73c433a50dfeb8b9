//! The story in many seeds: how often it ends well, and with which seed it is told.

use serde::Serialize;

use crate::analysis::Proportion;
use crate::app::App;
use crate::app::manifest::Manifest;
use crate::cli::error::CliError;
use crate::cli::progress::Progress;
use crate::cli::settings::Settings;
use crate::experiment::Report;
use crate::model::experiment::{Plan, Verdict};
use crate::model::journey::Journey;
use crate::sockshop::{BASE_NAME, HA_NAME, SockShop};
use crate::survey::{self, Stage, SurveyError};

/// How far above the seed asked for another one is looked for.
const FURTHEST: u64 = 200;

/// One half of the story as data.
#[derive(Debug)]
struct Act {
    app: App,
    manifest: Manifest,
    plan: Plan,
    namespace: String,
    journeys: Vec<(String, Journey)>,
}

/// The story as data, the same for every seed.
#[derive(Debug)]
pub struct Script {
    base: Act,
    ha: Act,
}

/// How the story ended in one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seed {
    /// The seed.
    #[serde(rename = "seed")]
    pub number: u64,
    /// The first manifest's verdict.
    pub base: Verdict,
    /// The highly available manifest's; none when it did not become ready.
    pub ha: Option<Verdict>,
    /// Whether its journeys would have held at 99 %, too.
    pub ha_at_99_percent: bool,
    /// Why it did not become ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
}

impl Seed {
    /// Whether the highly available shop stayed up.
    #[must_use]
    pub fn held(&self) -> bool {
        self.ha == Some(Verdict::Held)
    }
}

impl Script {
    /// The story with these settings.
    ///
    /// # Errors
    /// When an experiment makes no sense.
    pub fn new(settings: &Settings) -> Result<Self, CliError> {
        Ok(Self {
            base: Act::new(settings, BASE_NAME, Verdict::Violated)?,
            ha: Act::new(settings, HA_NAME, Verdict::Held)?,
        })
    }
}

impl Act {
    fn new(settings: &Settings, name: &str, expected: Verdict) -> Result<Self, CliError> {
        let (app, manifest) = SockShop::manifest(name)?.into_parts();
        let experiment = settings.experiment(&app, expected)?;
        let (_, namespace, journeys) = experiment.load()?;
        Ok(Self {
            plan: experiment.plan()?,
            app,
            manifest,
            namespace,
            journeys,
        })
    }

    fn play(&self, stage: &mut Stage) -> Result<Report, SurveyError> {
        stage.deploy(self.app.name(), &self.manifest, &self.app.model)?;
        let history = stage.run(&self.plan, self.app.name(), &self.namespace, &self.journeys)?;
        Ok(Report::new(history))
    }
}

/// The story in one seed.
///
/// # Errors
/// When the first half cannot be played, or the second one for another reason than that it does not become ready.
pub fn one(script: &Script, settings: &Settings, seed: u64) -> Result<Seed, CliError> {
    let failed = |source| CliError::Survey { seed, source };
    let mut stage = Stage::new(settings.profile.clone(), seed);
    let base = script.base.play(&mut stage).map_err(failed)?.verdict();
    let mut result = Seed {
        number: seed,
        base,
        ha: None,
        ha_at_99_percent: false,
        not_ready: None,
    };
    match script.ha.play(&mut stage) {
        Ok(report) => {
            result.ha = Some(report.verdict());
            result.ha_at_99_percent = recovered(&report, settings);
        }
        Err(error @ SurveyError::NotReady(_)) => result.not_ready = Some(error.to_string()),
        Err(source) => return Err(failed(source)),
    }
    Ok(result)
}

/// Whether every journey recovers in time at the usual 99 %, in a run that proves something.
fn recovered(report: &Report, settings: &Settings) -> bool {
    let in_time = |after: u64| u128::from(after) * 1_000 <= settings.within.as_millis();
    matches!(report.verdict(), Verdict::Held | Verdict::Violated)
        && report
            .analysis()
            .journeys
            .iter()
            .all(|journey| journey.recovered_at.is_some_and(in_time))
}

/// The story in the seeds from 0 on, on all processors.
///
/// # Errors
/// The first seed's that cannot be played.
pub fn survey(script: &Script, settings: &Settings, total: u64, progress: Progress) -> Result<Vec<Seed>, CliError> {
    if total == 0 {
        return Ok(Vec::new());
    }
    let going = progress.count("playing the story in many seeds", total);
    survey::seeds(0..total, |seed| {
        let result = one(script, settings, seed);
        going.step();
        result
    })
    .into_iter()
    .collect()
}

/// How many of the seeds have something.
#[must_use]
pub fn share(all: &[Seed], has: impl Fn(&Seed) -> bool) -> Proportion {
    let held = all.iter().filter(|seed| has(seed)).count();
    Proportion::new(held as u64, all.len() as u64)
}

/// The seed that the story is told with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// It.
    pub seed: u64,
    /// Why it is not the one asked for.
    pub because: Option<String>,
}

impl Choice {
    /// The seed asked for, unless the highly available shop is not up in it: then the first from there on that ends as most seeds
    /// of the survey do. A reader of one story sees the usual one, and is told that it was chosen.
    ///
    /// # Errors
    /// Those of `play`, which plays a seed that is not in the survey.
    pub fn of(all: &[Seed], asked: u64, play: impl Fn(u64) -> Result<Seed, CliError>) -> Result<Self, CliError> {
        let as_asked = Self {
            seed: asked,
            because: None,
        };
        if all.is_empty() {
            return Ok(as_asked);
        }
        let held = |seed: u64| match all.iter().find(|it| it.number == seed) {
            Some(seed) => Ok(seed.held()),
            None => play(seed).map(|seed| seed.held()),
        };
        let majority = share(all, Seed::held).held() * 2 > all.len() as u64;
        if held(asked)? || !majority {
            return Ok(as_asked);
        }
        for seed in asked..asked.saturating_add(FURTHEST) {
            if held(seed)? == majority {
                return Ok(Self {
                    seed,
                    because: Some(format!(
                        "seed {asked}: {HA_NAME} violated; story told with seed {seed}, the first that agrees with the majority"
                    )),
                });
            }
        }
        Ok(as_asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(verdicts: &[Verdict]) -> Vec<Seed> {
        let seed = |(seed, &ha): (usize, &Verdict)| Seed {
            number: seed as u64,
            base: Verdict::Violated,
            ha: Some(ha),
            ha_at_99_percent: false,
            not_ready: None,
        };
        verdicts.iter().enumerate().map(seed).collect()
    }

    fn choose(verdicts: &[Verdict], asked: u64) -> u64 {
        let play = |seed| Ok(seeds(&[Verdict::Violated; 8]).swap_remove(usize::try_from(seed % 8).unwrap()));
        Choice::of(&seeds(verdicts), asked, play).unwrap().seed
    }

    #[test]
    fn the_story_is_told_with_the_seed_asked_for_unless_it_ends_unlike_most() {
        use Verdict::{Held, Violated};
        assert_eq!(choose(&[Held, Violated, Held], 0), 0);
        assert_eq!(choose(&[Violated, Violated, Held, Held, Held], 0), 2);
        assert_eq!(choose(&[Violated, Held, Violated], 0), 0, "most end as it does");
        assert_eq!(choose(&[Violated, Held], 0), 0, "half is no majority");
        assert_eq!(choose(&[], 5), 5, "without a survey nothing is chosen");
        assert_eq!(choose(&[Held, Held, Held], 7), 7, "none agrees within reach");
    }
}
