//! What a kubelet writes into the status of a pod.
//!
//! Source: pkg/kubelet/kubelet_pods.go `getPhase`, `generateAPIPodStatus`; pkg/kubelet/status/generate.go.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::model::history::What;
use crate::simulation::objects::container::ContainerStatus;
use crate::simulation::objects::pod::Phase;
use crate::simulation::objects::template::{PodTemplate, Role};
use crate::simulation::world::World;

impl World {
    pub(super) fn statuses(&self, pod: u32) -> Arc<[ContainerStatus]> {
        self.runtime(pod)
            .map(|runtime| runtime.lives.iter().map(|life| life.status).collect())
            .unwrap_or_default()
    }

    /// Writes what the kubelet has seen of a pod's containers into its object, and notes what has changed by it. `running`: one
    /// of them runs at the pod's address, and whether that makes all main ones run.
    pub(super) fn report(&mut self, pod: u32, running: Option<(Ipv4Addr, bool)>) {
        let Some(row) = self.store.pod(pod) else { return };
        let statuses = self.statuses(pod);
        let template = row.body.template.clone();
        let phase = if row.body.is_finished() {
            row.body.phase
        } else {
            phase(&template, &statuses, row.body.phase)
        };
        let initialized = row.body.initialized.is_some() || is_initialized(&template, &statuses);
        let ready = initialized && phase == Phase::Running && all_ready(&template, &statuses);
        let was_ready = row.body.is_ready();
        let known = row.body.ready.is_some();
        let now = self.now;
        self.store.change_pod(pod, |row| {
            let pod = &mut row.body;
            pod.phase = phase;
            pod.statuses = statuses;
            if let Some((address, _)) = running {
                pod.address = Some(address);
            }
            if initialized && pod.initialized.is_none() {
                pod.initialized = Some(now);
            }
            if !known || was_ready != ready {
                pod.ready = Some((ready, now));
            }
        });
        let Some((name, app)) = self.named(pod) else { return };
        let (pod_name, app) = (name.to_string(), app.to_string());
        if running.is_some_and(|(_, all)| all) {
            self.note(What::PodStarted {
                pod: pod_name.clone(),
                app: app.clone(),
            });
        }
        if ready && !was_ready {
            self.note(What::PodReady { pod: pod_name, app });
        } else if was_ready && !ready {
            self.note(What::PodNotReady { pod: pod_name, app });
        }
        self.pod_changed(pod);
    }
}

/// The phase of a pod whose containers go on. (Only when all of them are done, it is another one: `stopping`.)
fn phase(template: &PodTemplate, statuses: &[ContainerStatus], before: Phase) -> Phase {
    if before == Phase::Running {
        return before;
    }
    let begun = |status: &ContainerStatus| status.runs() || status.last.is_some() || status.ended().is_some();
    let main = &statuses[template.init.len().min(statuses.len())..];
    if is_initialized(template, statuses) && !main.is_empty() && main.iter().all(begun) {
        Phase::Running
    } else {
        Phase::Pending
    }
}

/// Whether every container of the start has ended well, or is started where it goes on
/// (pkg/kubelet/status/generate.go `GeneratePodInitializedCondition`).
fn is_initialized(template: &PodTemplate, statuses: &[ContainerStatus]) -> bool {
    (0..template.init.len()).all(|place| {
        statuses.get(place).is_some_and(|status| match template.role(place) {
            Role::Init => status.ended().is_some_and(|ended| ended.code == 0),
            Role::Sidecar | Role::Main => status.started,
        })
    })
}

/// Whether all containers that go on are ready (`GenerateContainersReadyCondition`).
pub(super) fn all_ready(template: &PodTemplate, statuses: &[ContainerStatus]) -> bool {
    statuses
        .iter()
        .enumerate()
        .all(|(place, status)| status.ready || template.role(place) == Role::Init)
}
