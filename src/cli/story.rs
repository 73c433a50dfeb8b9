//! The workshop's story: a shop goes down with a node, is made highly available, and stays up.
//!
//! Each part is what the workshop does by hand: the experiment, the post-mortem, the check of the Cluster Autoscaler, the second
//! manifest, the same experiment. `seeds` says how often the story ends well.

mod autoscaler;
mod seeds;
mod text;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde::Serialize;

use super::args::Run;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::progress::Progress;
use super::settings::Settings;
use super::{print, runtime};
use crate::cluster::Cluster;
use crate::experiment::Report;
use crate::model::experiment::Verdict;
use crate::sockshop::{BASE_NAME, HA_NAME, SockShop};
use autoscaler::Check;
use seeds::{Choice, Script, Seed};

/// The file of the survey.
const SURVEY: &str = "survey.json";

/// The files that the story writes.
pub const NAMES: [&str; 5] = [
    "sockshop-demo.history.jsonl",
    "sockshop-demo.summary.json",
    "sockshop-demo-ha.history.jsonl",
    "sockshop-demo-ha.summary.json",
    SURVEY,
];

/// Seeds of the survey unless the command line says another number.
const SEEDS: u64 = 200;

/// What happened on the cluster.
#[derive(Debug)]
struct Told {
    seed: u64,
    base: Report,
    check: Check,
    /// Nodes before and after the highly available manifest.
    nodes: (usize, usize),
    /// Seconds of cluster time that its rolling update took.
    rollout: u64,
    ha: Report,
}

/// The survey as a file.
#[derive(Serialize)]
struct Survey<'a> {
    format: u32,
    told_with_seed: u64,
    slots_ppm: u32,
    seeds: &'a [Seed],
}

/// Tells it, writes its files and prints it.
///
/// # Errors
/// When there is no verdict, or it cannot be written.
pub fn run(
    args: &Run,
    settings: &Settings,
    output: &Output,
    progress: &Progress,
    started: Timestamp,
) -> Result<Exit, CliError> {
    let script = Script::new(settings)?;
    let all = seeds::survey(&script, settings, args.seeds.unwrap_or(SEEDS), *progress)?;
    let choice = Choice::of(&all, settings.seed, |seed| seeds::one(&script, settings, seed))?;
    let told = runtime()?.block_on(tell(settings, choice.seed, *progress))?;
    let exit = Exit::of(&[&told.base, &told.ha]);
    let written = write(output, settings, &told, &all, exit, started);
    let mut story = text::story(settings, &choice, &told, &all);
    story.push_str(&text::files(written.as_deref().unwrap_or_default()));
    story.push_str(text::LESSON);
    // What could not be written is at least shown.
    print(&story)?;
    written.map(|_| exit)
}

/// The story on a cluster, through its Kubernetes API.
async fn tell(settings: &Settings, seed: u64, progress: Progress) -> Result<Told, CliError> {
    let going = progress.phase(&format!("deploying {BASE_NAME}"));
    let cluster = settings.cluster(seed).await?;
    let shop = SockShop::deploy(&cluster, BASE_NAME).await?;
    drop(going);
    let going = progress.phase(&format!("{BASE_NAME}: nodes fail"));
    let base = settings
        .experiment(shop.app(), Verdict::Violated)?
        .run(&cluster)
        .await?;
    drop(going);
    let going = progress.phase("checking the Cluster Autoscaler");
    let check = Check::of(&cluster).await?;
    let before = nodes(&cluster).await?;
    drop(going);
    let going = progress.phase(&format!("deploying {HA_NAME}"));
    let from = cluster.now()?;
    let shop = SockShop::deploy(&cluster, HA_NAME).await?;
    let rollout = cluster.now()?.saturating_sub(from).as_secs();
    let after = nodes(&cluster).await?;
    drop(going);
    let _going = progress.phase(&format!("{HA_NAME}: nodes fail"));
    let ha = settings.experiment(shop.app(), Verdict::Held)?.run(&cluster).await?;
    Ok(Told {
        seed,
        base,
        check,
        nodes: (before, after),
        rollout,
        ha,
    })
}

/// How many nodes run workloads.
async fn nodes(cluster: &Cluster) -> Result<usize, CliError> {
    let workers = ListParams::default().labels("!node-role.kubernetes.io/control-plane");
    let nodes = Api::<Node>::all(cluster.client()).list(&workers).await;
    let source = |source| CliError::Api {
        what: "the nodes",
        source: Box::new(source),
    };
    Ok(nodes.map_err(source)?.items.len())
}

fn write(
    output: &Output,
    settings: &Settings,
    told: &Told,
    all: &[Seed],
    exit: Exit,
    started: Timestamp,
) -> Result<Vec<std::path::PathBuf>, CliError> {
    let mut files = output.run(BASE_NAME, &told.base)?;
    files.extend(output.run(HA_NAME, &told.ha)?);
    let survey = Survey {
        format: 1,
        told_with_seed: told.seed,
        slots_ppm: settings.slots_ppm(),
        seeds: all,
    };
    files.push(output.json(SURVEY, &survey)?);
    files.push(output.record(started, exit, &files)?);
    Ok(files)
}
