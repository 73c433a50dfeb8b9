//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgGroup, value_parser};

use super::exit::HELP;
use super::serve_model::ServeModel;
use super::up::args::Up;
use crate::model::experiment::Verdict;
use crate::model::fault::Mode;
use crate::model::profile::Profile;
use crate::model::units::text;

/// Are we still up when nodes die? Resilience experiments on an embedded Kubernetes cluster.
///
/// Without a command, and with `run` alone, it tells a workshop's story: a shop
/// with one replica of everything loses nodes and goes down; the same shop, made
/// highly available, loses nodes and stays up. With `--manifest` it runs one
/// experiment on an application of yours.
#[derive(Debug, clap::Parser)]
#[command(version, after_help = HELP, args_conflicts_with_subcommands = true, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Tells the story, or runs one experiment on `--manifest` (what happens without a command, too)
    #[command(after_help = HELP)]
    Run(Box<Run>),
    /// Serves an embedded cluster on a loopback port, for kubectl and other clients, until Ctrl-C
    #[command(after_help = HELP)]
    Up(Box<Up>),
    /// Stands in for one service of an application model: a real server, for containers whose images cannot be had
    ServeModel(Box<ServeModel>),
    /// Prints the JSON Schema of a file that you write
    Schema {
        /// Of a model, of a file of journeys, or of the list of clusters that may be broken
        of: Schema,
    },
    /// Says what a run of these options would do: targets, blast radius, how it is undone, duration; nothing is changed
    #[cfg(feature = "real")]
    #[command(after_help = HELP)]
    Plan(Box<super::plan::Plan>),
    /// Undoes what runs on real clusters have left that were killed; safe to run twice
    #[cfg(feature = "real")]
    #[command(after_help = HELP)]
    Recover(super::recover::Recover),
    /// Watches over the journal of a run, and undoes its changes when its process is gone; started by the run itself
    #[cfg(feature = "real")]
    #[command(hide = true)]
    Watchdog(super::recover::Watchdog),
}

/// The files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Schema {
    /// What an application's images do: `--model`
    Model,
    /// Its users' journeys: `--journey`
    Journey,
    /// The clusters that may be broken: `steadfast.yaml`
    #[cfg(feature = "real")]
    Policy,
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Task {
    /// The story, or one experiment.
    Run(Box<Run>),
    /// A cluster to work with.
    Up(Box<Up>),
    /// A stand-in.
    ServeModel(Box<ServeModel>),
    /// A schema.
    Schema(Schema),
    /// To say what a run would do.
    #[cfg(feature = "real")]
    Plan(Box<super::plan::Plan>),
    /// To put back what was left.
    #[cfg(feature = "real")]
    Recover(super::recover::Recover),
    /// To watch over a run.
    #[cfg(feature = "real")]
    Watchdog(super::recover::Watchdog),
}

impl Args {
    /// What to do.
    #[must_use]
    pub fn task(self) -> Task {
        match self.command {
            Some(Command::Run(run)) => Task::Run(run),
            Some(Command::Up(up)) => Task::Up(up),
            Some(Command::ServeModel(of)) => Task::ServeModel(of),
            Some(Command::Schema { of }) => Task::Schema(of),
            #[cfg(feature = "real")]
            Some(Command::Plan(plan)) => Task::Plan(plan),
            #[cfg(feature = "real")]
            Some(Command::Recover(recover)) => Task::Recover(recover),
            #[cfg(feature = "real")]
            Some(Command::Watchdog(watchdog)) => Task::Watchdog(watchdog),
            None => Task::Run(Box::new(self.run)),
        }
    }
}

/// The options of a run.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("target").multiple(false))]
pub struct Run {
    /// Deploy this manifest, a file or a folder, and run one experiment on it, instead of the story
    #[arg(long, value_name = "PATH", help_heading = "Application")]
    pub manifest: Option<PathBuf>,
    /// What the manifest's images do, and the journeys of its users [default: the sock shop's model]
    #[arg(long, value_name = "FILE", requires = "manifest", help_heading = "Application")]
    pub model: Option<PathBuf>,
    /// Journeys of its users: all hypotheses are about them, and about the model's
    #[arg(long, value_name = "FILE", requires = "manifest", help_heading = "Application")]
    pub journey: Option<PathBuf>,
    /// Take every image that the model does not describe to answer 200; the report lists them. Without a model, too: the one
    /// journey is then GET / on the Service by which traffic comes in
    #[arg(long, requires = "manifest", help_heading = "Application")]
    pub assume_default_model: bool,

    /// How the nodes fail
    #[arg(long, value_name = "FAULT", default_value = Mode::Terminate.name(), value_parser = mode(), help_heading = "Fault")]
    pub fault: Mode,
    /// The share of the nodes that fail, 1 to 100 [default: 40]
    #[arg(long, value_name = "P", value_parser = value_parser!(u8).range(1..=100), group = "target", help_heading = "Fault")]
    pub percent: Option<u8>,
    /// How many nodes fail
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..), group = "target", help_heading = "Fault")]
    pub count: Option<u32>,
    /// The node that fails
    #[arg(long, value_name = "NAME", group = "target", help_heading = "Fault")]
    pub node: Option<String>,
    /// Every node with this label fails
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, group = "target", help_heading = "Fault")]
    pub label: Option<(String, String)>,
    /// Every node of this zone fails
    #[arg(long, value_name = "ZONE", group = "target", help_heading = "Fault")]
    pub zone: Option<String>,

    /// Each node comes back this long after it was struck, such as 60s; not for modes that nothing undoes
    #[arg(long, value_name = "TIME", value_parser = text::parse, help_heading = "Fault")]
    pub return_after: Option<Duration>,
    /// The nodes are struck one after the other, this far apart
    #[arg(long, value_name = "TIME", value_parser = text::parse, help_heading = "Fault")]
    pub stagger: Option<Duration>,

    /// The time from the fault to the end, such as 10m or 90s
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = text::parse, help_heading = "Hypotheses")]
    pub observe: Duration,
    /// Every journey recovers within this time after the fault, and stays up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = text::parse, help_heading = "Hypotheses")]
    pub within: Duration,
    /// «Up»: the share of good visits that every 10 s need, above 0 and up to 1 [default: 0.99; of the story: 0.10, not dark]
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Hypotheses")]
    pub slots: Option<f64>,
    /// The verdict that ends with code 0 [default: held]
    #[arg(long, value_name = "VERDICT", value_parser = verdict(), requires = "manifest", help_heading = "Hypotheses")]
    pub expect: Option<Verdict>,

    /// The seed of all chance: the same seed gives the same run, byte for byte
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Cluster")]
    pub seed: u64,
    /// In how many seeds, from 0 on, the story is run to count how often it ends well; 0: none [default: 200]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(..=1_000_000), conflicts_with = "manifest", help_heading = "Cluster")]
    pub seeds: Option<u64>,
    /// The cluster's profile
    #[arg(long, value_name = "NAME", default_value = "eks-workshop", value_parser = PossibleValuesParser::new(Profile::names()), help_heading = "Cluster")]
    pub profile: String,
    /// Nodes at the start, instead of the profile's number
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000), help_heading = "Cluster")]
    pub nodes: Option<u32>,
    /// Visits started per second for each journey, instead of the model's number
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000), help_heading = "Cluster")]
    pub rate: Option<u32>,

    /// The folder for histories, summaries and run.json
    #[arg(
        long,
        value_name = "DIR",
        default_value = "target/steadfast",
        help_heading = "Output"
    )]
    pub output: PathBuf,
    /// Say nothing of the progress, only the report
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

pub(super) fn mode() -> impl clap::builder::TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(Mode::ALL.map(Mode::name)).map(|name| {
        let known = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        known.unwrap_or(Mode::Terminate)
    })
}

fn verdict() -> impl clap::builder::TypedValueParser<Value = Verdict> {
    PossibleValuesParser::new(["held", "violated"]).map(|name| {
        if name == "held" {
            Verdict::Held
        } else {
            Verdict::Violated
        }
    })
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as topology.kubernetes.io/zone=eu-west-1a".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // Parts in a million are what is judged by.
        Ok(share) if (0.000_001..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share above 0 and up to 1, such as 0.99".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        Args::command().debug_assert();
    }

    #[test]
    fn options_stand_after_run_or_alone() {
        let seed = |line: &[&str]| match Args::try_parse_from(line).ok()?.task() {
            Task::Run(run) => Some(run.seed),
            Task::Up(up) => Some(up.seed + 100),
            #[cfg(feature = "real")]
            Task::Plan(_) | Task::Recover(_) | Task::Watchdog(_) => None,
            Task::ServeModel(_) | Task::Schema(_) => None,
        };
        assert_eq!(seed(&["steadfast"]), Some(0));
        assert_eq!(seed(&["steadfast", "--seed", "3"]), Some(3));
        assert_eq!(seed(&["steadfast", "run", "--seed", "3"]), Some(3));
        assert_eq!(seed(&["steadfast", "up", "--seed", "3"]), Some(103));
    }

    #[test]
    fn values_without_a_meaning_are_refused() {
        for line in [
            "--percent 0",
            "--percent 101",
            "--percent 40 --count 1",
            "--count 0",
            "--fault annoy-nodes",
            "--return-after soon",
            "--stagger soon",
            "--profile aks",
            "--label zone",
            "--slots 0",
            "--slots 1.1",
            "--slots NaN",
            "--observe soon",
            "--expect aborted --manifest x",
            "--expect held",
            "--model x",
            "--journey x",
            "schema",
            "schema cluster",
            "--assume-default-model",
            "--seeds 1 --manifest x",
            "--nodes 0",
            "--rate 0",
        ] {
            let words = std::iter::once("steadfast").chain(line.split(' '));
            assert!(Args::try_parse_from(words).is_err(), "{line}");
        }
    }
}
