//! The command line of `steadfast up`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, value_parser};

use crate::cli::args::mode;
use crate::model::fault::{Mode, NodeFailure};
use crate::model::profile::Profile;
use crate::model::units::text;

/// The share of the nodes that fails when the command line names no target: as for `steadfast run`.
const PERCENT: u8 = 40;

/// The options of `steadfast up`.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("victims").multiple(false))]
pub struct Up {
    /// Deploy this manifest first; the cluster is served once it is ready
    #[arg(long, value_name = "FILE", help_heading = "Application")]
    pub manifest: Option<PathBuf>,
    /// What the manifest's images do; without it, the sock shop's model, and every other image answers 200
    #[arg(long, value_name = "FILE", requires = "manifest", help_heading = "Application")]
    pub model: Option<PathBuf>,

    /// Nodes fail in this way, once the cluster has been up for --after
    #[arg(long, value_name = "FAULT", value_parser = mode(), help_heading = "Fault")]
    pub fault: Option<Mode>,
    /// When they fail, in cluster time from the moment at which the cluster is served
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = text::parse, requires = "fault", help_heading = "Fault")]
    pub after: Duration,
    /// The share of the nodes that fail, 1 to 100 [default: 40]
    #[arg(long, value_name = "P", value_parser = value_parser!(u8).range(1..=100), group = "victims", requires = "fault", help_heading = "Fault")]
    pub percent: Option<u8>,
    /// How many nodes fail
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..), group = "victims", requires = "fault", help_heading = "Fault")]
    pub count: Option<u32>,
    /// The node that fails
    #[arg(
        long,
        value_name = "NAME",
        group = "victims",
        requires = "fault",
        help_heading = "Fault"
    )]
    pub node: Option<String>,

    /// The seed of all chance
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Cluster")]
    pub seed: u64,
    /// The cluster's profile
    #[arg(long, value_name = "NAME", default_value = "eks-workshop", value_parser = PossibleValuesParser::new(Profile::names()), help_heading = "Cluster")]
    pub profile: String,
    /// Nodes at the start, instead of the profile's number
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=5_000), help_heading = "Cluster")]
    pub nodes: Option<u32>,
    /// Cluster time passes so many times as fast as time on the wall
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1_000), help_heading = "Cluster")]
    pub speed: u32,

    /// The port; 0: any that is free
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Server")]
    pub port: u16,
    /// The address, a loopback one: 127.0.0.1 or ::1
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), help_heading = "Server")]
    pub address: IpAddr,
    /// Where to write the kubeconfig, which is removed in the end
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/steadfast/kubeconfig",
        help_heading = "Server"
    )]
    pub kubeconfig: PathBuf,
    /// Say nothing of the progress
    #[arg(long, short, help_heading = "Server")]
    pub quiet: bool,
}

impl Up {
    /// The fault to come.
    #[must_use]
    pub fn fault(&self) -> Option<NodeFailure> {
        let failure = NodeFailure::mode(self.fault?);
        Some(if let Some(count) = self.count {
            failure.count(count)
        } else if let Some(node) = &self.node {
            failure.name(node)
        } else {
            failure.percent(self.percent.unwrap_or(PERCENT))
        })
    }
}
