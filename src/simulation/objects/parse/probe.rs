//! Probes and hooks of containers, and the restart policy of a single one.
//!
//! Source: pkg/apis/core/validation/validation.go `validateProbe`, `validateHandler`, `validateLifecycle`,
//! `validateInitContainers`.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::causes::Causes;
use super::names::port_fault;

/// Checks what a container says about how it is looked after. `start`: it is one of `initContainers`.
pub(super) fn check(container: &core::Container, path: &str, start: bool, grace: Option<i64>, causes: &mut Causes) {
    let sidecar = start && container.restart_policy.as_deref() == Some("Always");
    causes.one_of(
        format!("{path}.restartPolicy"),
        container.restart_policy.as_deref(),
        &["Always", "Never", "OnFailure"],
    );
    let probes = [
        ("livenessProbe", container.liveness_probe.as_ref()),
        ("readinessProbe", container.readiness_probe.as_ref()),
        ("startupProbe", container.startup_probe.as_ref()),
    ];
    if start && !sidecar {
        let given = probes.iter().map(|(field, probe)| (*field, probe.is_some()));
        for (field, _) in std::iter::once(("lifecycle", container.lifecycle.is_some()))
            .chain(given)
            .filter(|(_, given)| *given)
        {
            causes.forbidden(
                format!("{path}.{field}"),
                "may not be set for init containers without restartPolicy=Always",
            );
        }
        return;
    }
    if let Some(life) = &container.lifecycle {
        for (field, handler) in [("postStart", &life.post_start), ("preStop", &life.pre_stop)] {
            let Some(handler) = handler else { continue };
            let handler = Handler {
                exec: handler.exec.as_ref(),
                http_get: handler.http_get.as_ref(),
                tcp_socket: handler.tcp_socket.as_ref(),
                grpc: None,
                sleep: handler.sleep.as_ref(),
            };
            handler.check(&format!("{path}.lifecycle.{field}"), grace, causes);
        }
    }
    for (field, probe) in probes {
        if let Some(probe) = probe {
            check_probe(field, probe, &format!("{path}.{field}"), grace, causes);
        }
    }
}

fn check_probe(field: &str, probe: &core::Probe, path: &str, grace: Option<i64>, causes: &mut Causes) {
    let handler = Handler {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    handler.check(path, grace, causes);
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        causes.not_negative(format!("{path}.{name}"), value.unwrap_or(0));
    }
    let own = format!("{path}.terminationGracePeriodSeconds");
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|&seconds| seconds <= 0) {
        causes.invalid(own.clone(), seconds, "must be greater than 0");
    }
    if field == "readinessProbe" {
        if let Some(seconds) = probe.termination_grace_period_seconds {
            causes.invalid(own, seconds, "must not be set for readinessProbes");
        }
    } else if let Some(threshold) = probe.success_threshold.filter(|&threshold| threshold != 1) {
        causes.invalid(format!("{path}.successThreshold"), threshold, "must be 1");
    }
}

struct Handler<'a> {
    exec: Option<&'a core::ExecAction>,
    http_get: Option<&'a core::HTTPGetAction>,
    tcp_socket: Option<&'a core::TCPSocketAction>,
    grpc: Option<&'a core::GRPCAction>,
    sleep: Option<&'a core::SleepAction>,
}

impl Handler<'_> {
    fn check(&self, path: &str, grace: Option<i64>, causes: &mut Causes) {
        let given = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ];
        let mut given = given.iter().filter(|(_, given)| *given).map(|(field, _)| *field);
        let Some(first) = given.next() else {
            return causes.required(path, "must specify a handler type");
        };
        for field in given {
            causes.forbidden(format!("{path}.{field}"), "may not specify more than 1 handler type");
        }
        let path = format!("{path}.{first}");
        match first {
            "exec" => {
                if self
                    .exec
                    .is_some_and(|exec| exec.command.iter().flatten().next().is_none())
                {
                    causes.required(format!("{path}.command"), "");
                }
            }
            "httpGet" => {
                if let Some(get) = self.http_get {
                    check_port(&path, &get.port, causes);
                    causes.one_of(format!("{path}.scheme"), get.scheme.as_deref(), &["HTTP", "HTTPS"]);
                }
            }
            "tcpSocket" => {
                if let Some(socket) = self.tcp_socket {
                    check_port(&path, &socket.port, causes);
                }
            }
            "grpc" => {
                if let Some(grpc) = self.grpc {
                    causes.port(format!("{path}.port"), grpc.port);
                }
            }
            _ => {
                if let (Some(sleep), Some(grace)) = (self.sleep, grace)
                    && !(0..=grace).contains(&sleep.seconds)
                {
                    let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    causes.invalid(path, sleep.seconds, &why);
                }
            }
        }
    }
}

fn check_port(path: &str, port: &IntOrString, causes: &mut Causes) {
    let path = format!("{path}.port");
    match port {
        IntOrString::Int(number) => causes.port(path, *number),
        IntOrString::String(name) => {
            if let Some(why) = port_fault(name) {
                causes.invalid(path, name.as_str(), why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::simulation::api::ApiError;
    use crate::simulation::objects::parse;

    fn causes(spec: &Value) -> Vec<String> {
        let pod = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": spec});
        match parse::pod(&pod) {
            Ok(_) => Vec::new(),
            Err(ApiError::Invalid { causes, .. }) => {
                causes.into_iter().map(|(path, why)| format!("{path}: {why}")).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn with(field: &str, value: &Value) -> Vec<String> {
        causes(&json!({"containers": [{"name": "a", "image": "a", field: value}]}))
    }

    #[rstest]
    #[case("livenessProbe", json!({"tcpSocket": {"port": 0}}), "tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive")]
    #[case("livenessProbe", json!({}), ": Required value: must specify a handler type")]
    #[case("livenessProbe", json!({"exec": {"command": ["a"]}, "successThreshold": 2}), "successThreshold: Invalid value: 2: must be 1")]
    #[case("startupProbe", json!({"exec": {"command": []}}), "exec.command: Required value")]
    #[case("startupProbe", json!({"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 0}), "terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0")]
    #[case("readinessProbe", json!({"grpc": {"port": 1}, "terminationGracePeriodSeconds": 3}), "terminationGracePeriodSeconds: Invalid value: 3: must not be set for readinessProbes")]
    #[case("readinessProbe", json!({"grpc": {"port": 1}, "tcpSocket": {"port": 2}}), "grpc: Forbidden: may not specify more than 1 handler type")]
    #[case("readinessProbe", json!({"httpGet": {"port": 1, "scheme": "FTP"}}), "httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"")]
    #[case("readinessProbe", json!({"grpc": {"port": 1}, "periodSeconds": -1}), "periodSeconds: Invalid value: -1: must be greater than or equal to 0")]
    fn a_probe_that_makes_no_sense_is_refused(#[case] field: &str, #[case] probe: Value, #[case] expected: &str) {
        let found = with(field, &probe);
        let dot = if expected.starts_with(':') { "" } else { "." };
        assert_eq!(found, [format!("spec.containers[0].{field}{dot}{expected}")]);
    }

    #[test]
    fn a_hook_sleeps_no_longer_than_the_grace_period() {
        let sleep = json!({"preStop": {"sleep": {"seconds": 31}}});
        assert_eq!(
            with("lifecycle", &sleep),
            [
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than \
              terminationGracePeriodSeconds (30)"
            ]
        );
    }

    #[test]
    fn only_sidecars_among_the_containers_of_the_start_have_probes() {
        let spec = |policy: Value| {
            json!({
                "initContainers": [{
                    "name": "i", "image": "i", "restartPolicy": policy,
                    "readinessProbe": {"tcpSocket": {"port": 1}}, "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
                }],
                "containers": [{"name": "a", "image": "a"}],
            })
        };
        assert_eq!(causes(&spec(json!("Always"))), [""; 0]);
        let why = "Forbidden: may not be set for init containers without restartPolicy=Always";
        assert_eq!(
            causes(&spec(Value::Null)),
            [
                format!("spec.initContainers[0].lifecycle: {why}"),
                format!("spec.initContainers[0].readinessProbe: {why}"),
            ]
        );
    }
}
