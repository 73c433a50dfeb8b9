//! Services, what stands behind them and what stands before them.

use super::Printer;
use super::columns::{AGE, NAME, SELECTOR, column};
use super::look::{Look, none_if_empty, some_of};
use super::selector;

pub(super) const SERVICES: Printer = Printer {
    columns: &[
        NAME,
        column("Type"),
        column("Cluster-IP"),
        column("External-IP"),
        column("Port(s)"),
        AGE,
        SELECTOR,
    ],
    cells: |it| {
        let ports: Vec<String> = it.items("/spec/ports").map(port).collect();
        vec![
            it.name(),
            it.text("/spec/type").into(),
            it.text_or("/spec/clusterIPs/0", it.text_or("/spec/clusterIP", "<none>"))
                .into(),
            external(*it).into(),
            none_if_empty(ports.join(",")).into(),
            it.age(),
            it.labels("/spec/selector").into(),
        ]
    },
};

pub(super) const ENDPOINTS: Printer = Printer {
    columns: &[NAME, column("Endpoints"), AGE],
    cells: |it| {
        let all = it.items("/subsets").flat_map(|subset| {
            let addresses = move |port: Option<i64>| {
                subset.items("/addresses").map(move |address| {
                    let ip = address.text("/ip");
                    match port {
                        None => ip.to_owned(),
                        Some(port) if ip.contains(':') => format!("[{ip}]:{port}"),
                        Some(port) => format!("{ip}:{port}"),
                    }
                })
            };
            let ports: Vec<Option<i64>> = match subset.items("/ports").len() {
                0 => vec![None],
                _ => subset.items("/ports").map(|port| Some(port.number("/port"))).collect(),
            };
            ports.into_iter().flat_map(addresses)
        });
        let all: Vec<String> = all.collect();
        let shown = some_of(&all).unwrap_or_else(|| match it.items("/subsets").len() {
            0 => "<none>".to_owned(),
            _ => String::new(),
        });
        vec![it.name(), shown.into(), it.age()]
    },
};

pub(super) const ENDPOINT_SLICES: Printer = Printer {
    columns: &[NAME, column("AddressType"), column("Ports"), column("Endpoints"), AGE],
    cells: |it| {
        let ports: Vec<String> = it
            .items("/ports")
            .map(|port| {
                if port.at("/port").is_absent() {
                    port.text_or("/name", "*").to_owned()
                } else {
                    port.either("/port")
                }
            })
            .collect();
        let endpoints: Vec<String> = it
            .items("/endpoints")
            .flat_map(|endpoint| endpoint.items("/addresses").map(|address| address.either("")))
            .collect();
        let shown = |list: &[String]| some_of(list).unwrap_or_else(|| "<unset>".to_owned());
        vec![
            it.name(),
            it.text("/addressType").into(),
            shown(&ports).into(),
            shown(&endpoints).into(),
            it.age(),
        ]
    },
};

pub(super) const INGRESSES: Printer = Printer {
    columns: &[
        NAME,
        column("Class"),
        column("Hosts"),
        column("Address"),
        column("Ports"),
        AGE,
    ],
    cells: |it| {
        // formatHosts: a rule without a host counts as one more, but is not listed.
        let rules = it.items("/spec/rules").len();
        let mut hosts: Vec<&str> = Vec::new();
        let mut more = false;
        for rule in it.items("/spec/rules") {
            more |= hosts.len() == 3;
            if !more && !rule.text("/host").is_empty() {
                hosts.push(rule.text("/host"));
            }
        }
        let hosts = match (hosts.is_empty(), more) {
            (true, _) => "*".to_owned(),
            (false, true) => format!("{} + {} more...", hosts.join(","), rules - 3),
            (false, false) => hosts.join(","),
        };
        let ports = if it.items("/spec/tls").len() > 0 {
            "80, 443"
        } else {
            "80"
        };
        vec![
            it.name(),
            it.text_or("/spec/ingressClassName", "<none>").into(),
            hosts.into(),
            balancers(*it).into(),
            ports.into(),
            it.age(),
        ]
    },
};

pub(super) const INGRESS_CLASSES: Printer = Printer {
    columns: &[NAME, column("Controller"), column("Parameters"), AGE],
    cells: |it| {
        let mut name = it.text("/metadata/name").to_owned();
        if it.annotation("ingressclass.kubernetes.io/is-default-class") == Some("true") {
            name.push_str(" (default)");
        }
        let (kind, group) = (it.text("/spec/parameters/kind"), it.text("/spec/parameters/apiGroup"));
        let parameters = match group {
            _ if it.at("/spec/parameters").is_absent() => "<none>".to_owned(),
            _ if group.is_empty() => format!("{kind}/{}", it.text("/spec/parameters/name")),
            _ => format!("{kind}.{group}/{}", it.text("/spec/parameters/name")),
        };
        vec![
            name.into(),
            it.text("/spec/controller").into(),
            parameters.into(),
            it.age(),
        ]
    },
};

pub(super) const NETWORK_POLICIES: Printer = Printer {
    columns: &[NAME, column("Pod-Selector"), AGE],
    cells: |it| vec![it.name(), selector::cell(*it, "/spec/podSelector"), it.age()],
};

fn port(port: Look) -> String {
    let (number, protocol) = (port.number("/port"), port.text_or("/protocol", "TCP"));
    match port.number("/nodePort") {
        0 => format!("{number}/{protocol}"),
        node => format!("{number}:{node}/{protocol}"),
    }
}

/// `getServiceExternalIP`.
fn external(it: Look) -> String {
    let own = || it.items("/spec/externalIPs").map(|address| address.either(""));
    match it.text_or("/spec/type", "ClusterIP") {
        "ClusterIP" | "NodePort" => none_if_empty(own().collect::<Vec<_>>().join(",")),
        "LoadBalancer" => {
            let all: Vec<String> = Some(balancers(it))
                .filter(|all| !all.is_empty())
                .into_iter()
                .chain(own())
                .collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => it.text("/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// `loadBalancerStatusStringer`.
fn balancers(it: Look) -> String {
    let mut all: Vec<&str> = it
        .items("/status/loadBalancer/ingress")
        .map(|ingress| ingress.text_or("/ip", ingress.text("/hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    all.sort_unstable();
    all.dedup();
    all.join(",")
}
