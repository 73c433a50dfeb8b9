//! Services.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::causes::Causes;
use super::names::{Rule, port_fault};
use super::{accept, defaults, metadata, read};
use crate::simulation::api::{ApiError, Labels};
use crate::simulation::fabric::ServiceId;
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::SERVICES;
use crate::simulation::objects::service::Service;

/// The node ports that may be given. Source: kube-apiserver `--service-node-port-range`.
pub const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// A Service that still waits for its address, node ports and number.
#[derive(Clone, Debug)]
pub struct ServiceDraft {
    /// Its specification with defaults.
    pub(super) spec: core::ServiceSpec,
    /// Pods with these labels are its endpoints.
    pub selector: Arc<Labels>,
}

impl ServiceDraft {
    /// Whether a cluster address must be chosen for it: it may have one, and names none itself.
    #[must_use]
    pub fn needs_address(&self) -> bool {
        !self.is_external_name() && self.spec.cluster_ip.as_deref().is_none_or(str::is_empty)
    }

    /// The cluster address that it names itself.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.spec.cluster_ip.as_deref().and_then(|address| address.parse().ok())
    }

    /// The node ports that it names itself.
    pub fn node_ports(&self) -> impl Iterator<Item = u16> {
        self.ports()
            .filter_map(|port| port.node_port)
            .filter(|&port| port != 0)
            .filter_map(|port| u16::try_from(port).ok())
    }

    /// How many node ports must be chosen for it.
    #[must_use]
    pub fn missing_node_ports(&self) -> usize {
        if self.has_node_ports() {
            self.ports().filter(|port| port.node_port.unwrap_or(0) == 0).count()
        } else {
            0
        }
    }

    /// The Service with what was chosen for it.
    ///
    /// # Errors
    /// BadRequest when it cannot be written as JSON.
    pub fn finish(
        mut self,
        id: ServiceId,
        address: Option<Ipv4Addr>,
        node_ports: impl IntoIterator<Item = u16>,
    ) -> Result<Service, ApiError> {
        if self.needs_address() {
            self.spec.cluster_ip = address.map(|address| address.to_string());
        }
        if !self.is_external_name() {
            self.spec.cluster_ips = self.spec.cluster_ip.clone().map(|address| vec![address]);
        }
        if self.has_node_ports() {
            let missing = self
                .spec
                .ports
                .iter_mut()
                .flatten()
                .filter(|port| port.node_port.unwrap_or(0) == 0);
            for (port, chosen) in missing.zip(node_ports) {
                port.node_port = Some(i32::from(chosen));
            }
        }
        let spec = serde_json::to_value(&self.spec).map_err(|error| ApiError::BadRequest(error.to_string()))?;
        Ok(Service {
            spec: spec.into(),
            selector: self.selector,
            id,
            slice: None,
        })
    }

    pub(super) fn is_external_name(&self) -> bool {
        self.spec.type_.as_deref() == Some("ExternalName")
    }

    pub(super) fn has_node_ports(&self) -> bool {
        match self.spec.type_.as_deref() {
            Some("NodePort") => true,
            Some("LoadBalancer") => self.spec.allocate_load_balancer_node_ports != Some(false),
            _ => false,
        }
    }

    fn ports(&self) -> impl Iterator<Item = &core::ServicePort> {
        self.spec.ports.iter().flatten()
    }
}

/// A Service. Its address, node ports and number are for the caller to choose: see [`ServiceDraft`].
///
/// # Errors
/// BadRequest when it is no Service, Invalid when a field's value is not allowed.
pub fn service(object: &Value) -> Result<(Meta, ServiceDraft), ApiError> {
    let written: core::Service = read(SERVICES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(SERVICES, &written.metadata, Rule::Label1035, &mut causes);
    let mut spec = written.spec.unwrap_or_default();
    defaults::service(&mut spec);
    let selector = Arc::new(spec.selector.clone().unwrap_or_default());
    metadata::labels("spec.selector", Some(&selector), &mut causes);
    check(&spec, &mut causes);
    accept(SERVICES, meta, causes, ServiceDraft { spec, selector })
}

/// Source: pkg/apis/core/validation/validation.go `ValidateService`.
fn check(spec: &core::ServiceSpec, causes: &mut Causes) {
    let kind = spec.type_.as_deref().unwrap_or_default();
    causes.one_of(
        "spec.type",
        Some(kind),
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    causes.one_of(
        "spec.sessionAffinity",
        spec.session_affinity.as_deref(),
        &["ClientIP", "None"],
    );
    let address = spec.cluster_ip.as_deref().unwrap_or_default();
    let headless = address == "None";
    if kind == "ExternalName" {
        if spec.external_name.as_deref().is_none_or(str::is_empty) {
            causes.required("spec.externalName", "");
        }
        if !address.is_empty() {
            causes.forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'");
        }
    } else {
        if spec.ports.as_ref().is_none_or(Vec::is_empty) && !headless {
            causes.required("spec.ports", "");
        }
        if !headless && !address.is_empty() && address.parse::<Ipv4Addr>().is_err() {
            causes.invalid(
                "spec.clusterIPs[0]",
                address,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
        if headless && kind != "ClusterIP" {
            causes.invalid(
                "spec.clusterIPs[0]",
                address,
                &format!("may not be set to 'None' for {kind} services"),
            );
        }
    }
    let ports = spec.ports.as_deref().unwrap_or_default();
    let (mut names, mut numbers, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        match port.name.as_deref().unwrap_or_default() {
            "" if ports.len() > 1 => causes.required(format!("{path}.name"), ""),
            "" => {}
            name => {
                if let Some(why) = Rule::Label.fault(name) {
                    causes.invalid(format!("{path}.name"), name, &why);
                }
                if !names.insert(name) {
                    causes.duplicate(format!("{path}.name"), name);
                }
            }
        }
        causes.port(format!("{path}.port"), port.port);
        causes.one_of(
            format!("{path}.protocol"),
            port.protocol.as_deref(),
            &["SCTP", "TCP", "UDP"],
        );
        match &port.target_port {
            Some(IntOrString::Int(number)) => causes.port(format!("{path}.targetPort"), *number),
            Some(IntOrString::String(name)) => {
                if let Some(why) = port_fault(name) {
                    causes.invalid(format!("{path}.targetPort"), name.as_str(), why);
                }
            }
            None => {}
        }
        let protocol = port.protocol.as_deref();
        if !numbers.insert((protocol, port.port)) {
            let value = serde_json::json!({"port": port.port, "protocol": protocol});
            causes.duplicate(path.as_str(), value);
        }
        let Some(node_port) = port.node_port.filter(|&port| port != 0) else {
            continue;
        };
        let path = format!("{path}.nodePort");
        if !matches!(kind, "NodePort" | "LoadBalancer") {
            causes.forbidden(path, &format!("may not be used when `type` is '{kind}'"));
        } else if u16::try_from(node_port)
            .ok()
            .is_none_or(|port| !NODE_PORTS.contains(&port))
        {
            let range = format!(
                "provided port is not in the valid range. The range of valid ports is {}-{}",
                NODE_PORTS.start(),
                NODE_PORTS.end()
            );
            causes.invalid(path, node_port, &range);
        } else if !node_ports.insert((protocol, node_port)) {
            causes.duplicate(path, node_port);
        }
    }
}
