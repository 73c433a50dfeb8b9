//! `steadfast up`: an embedded cluster to work with, for `kubectl` and other clients.

pub mod args;
pub mod kubeconfig;

use std::fmt::Write as _;
use std::path::Path;

use tokio::time::sleep;

use super::end::End;
use super::error::CliError;
use super::exit::Exit;
use super::progress::Progress;
use super::{print, runtime};
use crate::app::{App, AppError, Undeployed};
use crate::cluster::embedded::serve::Server;
use crate::cluster::{Cluster, ClusterError};
use crate::model::fault::{NodeFailure, choose};
use crate::model::profile::Profile;
use crate::simulation::world::World;
use crate::sockshop::SockShop;
use args::Up;
use kubeconfig::Place;

/// Serves a cluster until it is told to end.
///
/// # Errors
/// When it cannot be started or served, or its kubeconfig cannot be written.
pub fn run(args: &Up) -> Result<Exit, CliError> {
    let progress = Progress::new(args.quiet);
    let place = Place::find(&args.kubeconfig)?;
    let application = args.manifest.as_deref().map(|manifest| application(args, manifest));
    let going = progress.phase("starting the cluster");
    let world = runtime()?.block_on(world(args, application.transpose()?))?;
    drop(going);
    // Connections and their TLS on threads of their own; the world is moved by whoever is free.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(serve(args, world, place, progress))?;
    Ok(Exit::Expected)
}

fn application(args: &Up, manifest: &Path) -> Result<Undeployed, CliError> {
    let application = App::from_manifest(manifest)?;
    let application = match &args.model {
        Some(file) => application.model_file(file)?,
        None => application.model(SockShop::model().map_err(|source| AppError::Model {
            origin: "the sock shop's model".to_owned(),
            source,
        })?),
    };
    // Nothing is judged here.
    Ok(application.assume_default_model())
}

/// The cluster as it will be served: started, with the application ready, in virtual time.
async fn world(args: &Up, application: Option<Undeployed>) -> Result<Box<World>, CliError> {
    let mut profile = Profile::built_in(&args.profile).map_err(ClusterError::from)?;
    if let Some(nodes) = args.nodes {
        profile.nodes.count = nodes;
    }
    let cluster = Cluster::embedded().custom_profile(profile).seed(args.seed);
    let cluster = cluster.start().await?;
    if let Some(application) = application {
        application.deploy(&cluster).await?;
    }
    Ok(cluster.world()?)
}

async fn serve(args: &Up, world: Box<World>, place: Place, progress: Progress) -> Result<(), CliError> {
    let cluster = Cluster::continued(world, args.speed).await?;
    let fault = args.fault();
    if let Some(fault) = &fault {
        // A choice that makes no sense is better said now than in 30 seconds.
        victims(&cluster, fault)?;
    }
    let server = cluster.serve().address(args.address).port(args.port).await?;
    let mut end = End::new()?;
    let kubeconfig = place.write(server.kubeconfig())?;
    print(&greeting(args, &server, kubeconfig.path()))?;
    let fail = async {
        if let Some(fault) = &fault {
            sleep(args.after / args.speed).await;
            let victims = victims(&cluster, fault)?;
            let _going = progress.phase(&format!("{}: {}", fault.mode.name(), victims.join(", ")));
            cluster.begin(&fault.clone().into(), victims).await?;
        }
        std::future::pending::<Result<(), CliError>>().await
    };
    tokio::select! {
        failed = fail => failed,
        () = end.come() => Ok(()),
    }
}

fn victims(cluster: &Cluster, fault: &NodeFailure) -> Result<Vec<String>, CliError> {
    Ok(choose(
        fault,
        &cluster.candidates()?,
        cluster.rounding(),
        cluster.seed(),
    )?)
}

fn greeting(args: &Up, server: &Server, kubeconfig: &Path) -> String {
    let mut text = format!("up at {} (profile {}, seed {}", server.url(), args.profile, args.seed);
    if args.speed > 1 {
        let _ = write!(text, ", {} times as fast", args.speed);
    }
    let _ = write!(
        text,
        "); Ctrl-C ends it\n\n    export KUBECONFIG={}\n    kubectl get nodes\n\n",
        kubeconfig.display()
    );
    text
}
