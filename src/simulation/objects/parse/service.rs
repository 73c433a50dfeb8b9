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
use crate::simulation::api::ApiError;
use crate::simulation::fabric::ServiceId;
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::SERVICES;
use crate::simulation::objects::service::Service;

/// The node ports that may be given. Source: kube-apiserver `--service-node-port-range`.
pub const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// A Service as written. Its number, its cluster address (unless it names one, or is headless, or has none) and the node
/// ports that it does not name are for the caller to fill in, as is its EndpointSlice.
///
/// # Errors
/// `BadRequest` when it is no Service, Invalid when a field's value is not allowed.
pub fn service(object: &Value) -> Result<(Meta, Service), ApiError> {
    let written: core::Service = read(SERVICES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(SERVICES, &written.metadata, Rule::Label1035, &mut causes);
    let mut spec = written.spec.unwrap_or_default();
    defaults::service(&mut spec);
    let selector = Arc::new(spec.selector.clone().unwrap_or_default());
    metadata::labels("spec.selector", Some(&selector), &mut causes);
    check(&spec, &mut causes);
    let spec = Arc::new(serde_json::to_value(&spec).map_err(|error| ApiError::BadRequest(error.to_string()))?);
    accept(
        SERVICES,
        meta,
        causes,
        Service {
            spec,
            selector,
            ingress: None,
            id: ServiceId(u32::MAX),
            slice: None,
        },
    )
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
    if let Some(first) = spec.cluster_ips.as_ref().and_then(|all| all.first())
        && first != address
    {
        causes.invalid("spec.clusterIPs[0]", first.as_str(), "must match `clusterIP`");
    }
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
