//! Kubelets: pods on machines, from being noticed to being gone.
//!
//! A [`Runtime`] is what a kubelet has of a pod: one [`Life`] a container, with what really is (whether its process runs and
//! listens) and what the kubelet has seen of it (its status). `report` writes the latter into the pod object.
//!
//! * `starting`: from the pod's binding to processes that listen, container after container;
//! * `ending`: containers that end, and whether they start again;
//! * `stopping`: pods that are to go;
//! * `probing`: probe workers, `looking`: what they see, `killing`: containers that they end;
//! * `returning`: machines that lost their power, and kubelets that start again.

mod ending;
mod killing;
mod looking;
mod probing;
mod report;
mod returning;
mod starting;
mod stopping;

pub use self::probing::Worker;
pub(super) use self::returning::Restarted;
use super::fabric::{MachineId, ModelId, PodId, Power, Process};
use super::machine::Pause;
use super::objects::container::{ContainerStatus, Ended};
use super::objects::pod::Phase;
use super::world::World;
use crate::model::time::{Span, Time};

/// A pod on a machine.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The machine.
    pub machine: MachineId,
    /// Its containers, by their place in the template.
    pub lives: Vec<Life>,
    /// The container that the pod's address stands for: the first of the main ones that has a description, else the first.
    pub face: usize,
    /// Incarnations given so far.
    pub count: u32,
    /// Runs of probes planned so far.
    pub plans: u32,
    /// Whether its containers have been asked to end.
    pub stopping: Option<Stopping>,
}

/// Why and by when a pod's containers are to end.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    /// When the grace period is over.
    pub deadline: Time,
    /// The phase of the pod when they have; `None`: it is being deleted.
    pub phase: Option<Phase>,
}

/// A container of a pod.
#[derive(Clone, Debug)]
pub struct Life {
    /// Names one start or end of its process; events of another incarnation are void. No two of a pod are equal.
    pub incarnation: u32,
    /// How it behaves.
    pub model: Option<ModelId>,
    /// Whether a process runs.
    pub alive: bool,
    /// Whether it listens.
    pub listening: bool,
    /// Whether it is to start, or to start again, by an event that is posted.
    pub due: bool,
    /// Restarts so far.
    pub restarts: u32,
    /// When its process last started.
    pub begun: Time,
    /// How long its next process runs before the kubelet looks for it, beyond its usual report.
    pub unseen: Span,
    /// The delay before the next restart.
    pub back_off: Span,
    /// The incarnation whose end has been asked for.
    pub asked: Option<u32>,
    /// The exit code that it will then have.
    pub exit: i32,
    /// How its last process ended.
    pub ended: Option<Ended>,
    /// What the kubelet has seen.
    pub status: ContainerStatus,
    /// The workers of its probes.
    pub workers: Vec<Worker>,
}

/// The incarnation of a container that has not been begun.
const NEVER_BEGUN: u32 = u32::MAX;

impl Life {
    const fn new(model: Option<ModelId>, now: Time) -> Self {
        Self {
            incarnation: NEVER_BEGUN,
            model,
            alive: false,
            listening: false,
            due: false,
            restarts: 0,
            begun: now,
            unseen: Span::ZERO,
            back_off: Span::ZERO,
            asked: None,
            exit: 0,
            ended: None,
            status: ContainerStatus::NEW,
            workers: Vec::new(),
        }
    }
}

impl Runtime {
    /// The place of the container of this incarnation.
    #[must_use]
    pub fn place(&self, incarnation: u32) -> Option<usize> {
        self.lives.iter().position(|life| life.incarnation == incarnation)
    }

    /// The incarnation of the process that the pod's address stands for.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.lives[self.face].incarnation
    }

    /// Gives a container a new incarnation.
    fn renew(&mut self, place: usize) -> u32 {
        self.count += 1;
        self.lives[place].incarnation = self.count;
        self.count
    }
}

impl World {
    pub(super) fn kubelet_runs(&self, machine: MachineId) -> bool {
        self.machines[machine.0 as usize].kubelet && self.fabric.powered(machine)
    }

    /// What a kubelet has of a pod.
    pub(super) fn runtime(&self, pod: u32) -> Option<&Runtime> {
        self.runtimes.get(pod as usize).and_then(Option::as_ref)
    }

    pub(super) fn runtime_mut(&mut self, pod: u32) -> Option<&mut Runtime> {
        self.runtimes.get_mut(pod as usize).and_then(Option::as_mut)
    }

    fn life(&self, pod: u32, place: usize) -> Option<&Life> {
        self.runtime(pod)?.lives.get(place)
    }

    fn life_mut(&mut self, pod: u32, place: usize) -> Option<&mut Life> {
        self.runtime_mut(pod)?.lives.get_mut(place)
    }

    /// The machine and the container of this incarnation, when the pod's kubelet runs.
    fn current(&self, pod: u32, incarnation: u32) -> Option<(MachineId, usize)> {
        let runtime = self.runtime(pod)?;
        let place = runtime.place(incarnation)?;
        self.kubelet_runs(runtime.machine).then_some((runtime.machine, place))
    }

    /// The same, unless the pod is on its way out.
    fn current_in_use(&self, pod: u32, incarnation: u32) -> Option<(MachineId, usize)> {
        self.current(pod, incarnation).filter(|_| !self.is_stopping(pod))
    }

    /// The container of this incarnation, for what its process does by itself: it needs no kubelet that works, but one that did not
    /// shut down with its machine.
    fn current_process(&self, pod: u32, incarnation: u32) -> Option<usize> {
        let runtime = self.runtime(pod)?;
        let machine = &self.machines[runtime.machine.0 as usize];
        let runs = match self.fabric.machines[runtime.machine.0 as usize] {
            Power::On => machine.kubelet || machine.outage.pause == Pause::Stopped,
            Power::Isolated => true,
            Power::Booting | Power::Frozen | Power::Off => false,
        };
        runtime.place(incarnation).filter(|_| runs)
    }

    fn is_stopping(&self, pod: u32) -> bool {
        self.runtime(pod).is_some_and(|runtime| runtime.stopping.is_some())
    }

    /// Whether a pod's process runs and listens on a powered machine.
    #[must_use]
    pub fn listens(&self, pod: PodId) -> bool {
        self.fabric
            .pod(pod)
            .is_some_and(|net| net.process == Process::Listening && self.fabric.powered(net.machine))
    }
}
