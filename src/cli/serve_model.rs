//! `steadfast serve-model`: one service of an application model as a real server, in the place of its image.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::end::End;
use super::error::CliError;
use super::exit::Exit;
use super::print;
use crate::app::AppError;
use crate::model::application::{Application, Between};
use crate::model::units::text;
use crate::sockshop::SockShop;
use crate::standin::{Ended, StandIn};

/// The code of a process that the model lets crash: what Node.js ends with after an exception that nobody caught
/// (doc/api/process.md, "Exit codes": 1).
const CRASHED: u8 = 1;

/// The options of `steadfast serve-model`.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeModel {
    /// The service to stand in for, as the model calls it
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    pub service: Option<String>,
    /// The application model [default: the sock shop's]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Services that the model calls and does not describe speak HTTP on port 80
    #[arg(long)]
    pub assume_default_model: bool,
    /// The port to listen on, instead of the model's
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// The address to listen on
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub address: IpAddr,
    /// From the start until it listens, instead of the model's time, such as 0s
    #[arg(long, value_name = "TIME", value_parser = text::parse)]
    pub start: Option<Duration>,
    /// How long requests under way may take after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = text::parse)]
    pub grace: Duration,
    /// Print the model's services with their ports, and end
    #[arg(long, conflicts_with = "service")]
    pub list: bool,
    /// Say nothing
    #[arg(long, short)]
    pub quiet: bool,
}

/// Serves until it is told to end, or the model says so.
///
/// # Errors
/// When the model cannot be used, has no such service, or the port cannot be had.
pub fn run(args: &ServeModel) -> Result<ExitCode, CliError> {
    let model = model(args.model.as_deref())?;
    let Some(service) = args.service.as_ref().filter(|_| !args.list) else {
        print(&list(&model))?;
        return Ok(Exit::Expected.into());
    };
    let stand_in = if args.assume_default_model {
        StandIn::assuming(&model, service)?
    } else {
        StandIn::new(&model, service)?
    };
    let port = args.port.unwrap_or_else(|| stand_in.port());
    let mut stand_in = stand_in
        .listen((args.address, port).into())
        .grace(args.grace)
        .pod(pod());
    if let Some(start) = args.start {
        stand_in = stand_in.start(Between { from: start, to: start });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let ended = runtime.block_on(async {
        // Before all else: a process that is number 1 of its container gets no signal that it does not handle.
        let mut end = End::new()?;
        let listens = |address| {
            if !args.quiet {
                // Where nobody reads, nobody is told.
                let _ = print(&format!("{service} listens on {address}\n"));
            }
        };
        Ok::<_, CliError>(stand_in.run(end.come(), listens).await?)
    })?;
    // Look-ups of dead name servers take their time; nobody waits for them.
    runtime.shutdown_background();
    Ok(match ended {
        Ended::Stopped => Exit::Expected.into(),
        Ended::Done(code) => code.into(),
        Ended::Crashed => CRASHED.into(),
    })
}

fn model(file: Option<&Path>) -> Result<Application, CliError> {
    let (text, origin) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|source| AppError::Read {
                path: file.to_owned(),
                source,
            })?;
            (text, file.display().to_string())
        }
        None => return Ok(SockShop::model().map_err(|source| invalid("the sock shop's model", source))?),
    };
    Ok(Application::from_yaml(&text).map_err(|source| invalid(&origin, source))?)
}

fn invalid(origin: &str, source: crate::model::application::ModelError) -> AppError {
    AppError::Model {
        origin: origin.to_owned(),
        source,
    }
}

/// The pod's name: what a manifest says, else the container's host name, which in Kubernetes is the pod's.
fn pod() -> String {
    ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn list(model: &Application) -> String {
    let services = model.services.iter();
    services
        .map(|(name, service)| match service.listens {
            Some(listens) => format!("{name}  {} -> {listens}\n", service.port),
            None => format!("{name}  {}\n", service.port),
        })
        .collect()
}
