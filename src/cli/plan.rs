//! `steadfast plan`: what a run would do.

use super::args::Run;
use super::error::CliError;
use super::exit::Exit;
use super::progress::Progress;
use super::settings::{NAME, Settings};
use super::{print, runtime, single};
use crate::experiment::{DRAIN, STEADY};
use crate::model::fault::Fault;
use crate::safety::plan::{Preview, Strike, Times, look};
use crate::sockshop::{HA_NAME, SockShop};

/// The options of `steadfast plan`: those of `steadfast run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Plan {
    #[command(flatten)]
    pub(super) run: Run,
    /// As JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Says what the run of these options would do; without `--manifest`, to the highly available sock shop.
///
/// # Errors
/// When the application cannot be deployed, or no nodes can be chosen.
pub fn run(args: &Plan) -> Result<Exit, CliError> {
    let settings = Settings::new(&args.run)?;
    let preview = runtime()?.block_on(preview(args, &settings))?;
    let text = if args.json {
        serde_json::to_string_pretty(&preview).unwrap_or_default() + "\n"
    } else {
        preview.text()
    };
    print(&text)?;
    Ok(Exit::Expected)
}

async fn preview(args: &Plan, settings: &Settings) -> Result<Preview, CliError> {
    let application = match &args.run.manifest {
        Some(manifest) => single::application(&args.run, manifest)?,
        None => SockShop::manifest(HA_NAME)?,
    };
    let going =
        Progress::new(args.run.quiet).phase("deploying to an embedded cluster, to look at what is on its nodes");
    let cluster = settings.cluster(settings.seed).await?;
    application.deploy(&cluster).await?;
    let fault: Fault = settings.fault.clone().into();
    let nodes = cluster
        .targets(std::slice::from_ref(&fault))
        .await?
        .pop()
        .unwrap_or_default();
    let radius = look(&cluster.client(), &nodes).await.map_err(|source| CliError::Api {
        what: "what is on the nodes",
        source: Box::new(source),
    })?;
    drop(going);
    Ok(Preview {
        experiment: NAME.to_owned(),
        cluster: format!("{} ({})", cluster.cluster_kind(), cluster.profile()),
        faults: vec![Strike {
            fault: settings.fault.mode.name().to_owned(),
            nodes,
            undo: vec!["nothing to undo: the cluster is simulated and gone with the process".to_owned()],
        }],
        radius,
        duration: Times {
            steady: std::time::Duration::from_secs(STEADY.into()),
            observe: settings.observe,
            drain: DRAIN,
            undo: std::time::Duration::ZERO,
        },
    })
}
