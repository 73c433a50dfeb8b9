//! What the death of processes and machines does to requests in flight.

use super::Network;
use super::frame::{Caller, Frame, NOWHERE, Outcome, Phase};
use super::kernel::RETRANSMISSION_LIMIT;
use super::queue::What;
use super::slab::Key;
use crate::model::history::FailureKind;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, MachineId, PodId, PodNet, Process};

impl Network {
    /// A process ended on a machine that lives: its kernel closes the sockets, so peers know at once. Requests at the pod fail with
    /// a reset, requests from it are abandoned, idle connections to it are closed.
    ///
    /// To be called after the fabric shows it, also for a process whose end [`Network::run`] reported.
    pub fn process_ended(&mut self, pod: PodId, now: Time, fabric: &Fabric) {
        self.now = now;
        self.compare(fabric);
        self.effects.retain(|effect| !effect.crashes(pod));
        if let Some(memory) = self.memories.get_mut(pod.0 as usize) {
            for call in memory.queued() {
                self.frames.remove(call);
            }
            memory.clear();
        }
        let at_pod = |frame: &Frame| matches!(frame.phase, Phase::Serving | Phase::Crashing) && frame.pod == pod;
        let broken: Vec<(Key, Frame)> = self
            .frames
            .iter()
            .filter(|(_, frame)| at_pod(frame))
            .map(|(key, frame)| (key, *frame))
            .collect();
        // All of them first: their calls, even to the pod itself, must find no one.
        for (key, _) in &broken {
            self.frames.remove(*key);
        }
        for (_, frame) in &broken {
            self.deliver(frame, Outcome::Failed(FailureKind::Reset), fabric);
        }
    }

    /// The power of a machine was cut, or it was frozen or cut off: nothing is answered any more. Requests at its pods hang until their callers' time-outs, or
    /// TCP's own; idle connections to them stay open and hang when used; requests from its pods are abandoned.
    ///
    /// To be called after the fabric shows it.
    pub fn machine_lost(&mut self, machine: MachineId, now: Time, fabric: &Fabric) {
        self.now = now;
        self.compare(fabric);
        let on_machine =
            |frame: &Frame| matches!(frame.phase, Phase::Serving | Phase::Crashing) && frame.machine == machine;
        // Behind a load balancer a connection also runs through the node that forwards it: the answer is lost.
        let through: Vec<Key> = self
            .frames
            .iter()
            .filter(|(_, frame)| frame.phase == Phase::Serving && frame.via == Some(machine) && !on_machine(frame))
            .map(|(key, _)| key)
            .collect();
        let silent: Vec<(Key, Frame)> = self
            .frames
            .iter()
            .filter(|(_, frame)| on_machine(frame))
            .map(|(key, frame)| (key, *frame))
            .collect();
        // (A frozen node's kernel goes on forwarding.)
        if !fabric.forwards(machine) {
            for key in through {
                self.hang(key);
            }
        }
        for (key, frame) in silent {
            self.effects.retain(|effect| !effect.crashes(frame.pod));
            if matches!(frame.caller, Caller::Nobody) {
                self.frames.remove(key);
            } else {
                self.hang(key);
            }
        }
    }

    /// A frozen or isolated machine works again with its processes as they were. Who still waits for one of them is answered: the
    /// request lay in a socket's buffer, or is sent again.
    ///
    /// To be called after the fabric shows it.
    pub fn machine_back(&mut self, machine: MachineId, now: Time, fabric: &Fabric) {
        self.now = now;
        self.compare(fabric);
        let waiting: Vec<(Key, Frame)> = self
            .frames
            .iter()
            .filter(|(_, frame)| frame.phase == Phase::Hung && frame.machine == machine)
            .map(|(key, frame)| (key, *frame))
            .collect();
        for (key, frame) in waiting {
            if frame.deadline <= now {
                continue;
            }
            let net = fabric
                .pod(frame.pod)
                .filter(|net| net.process == Process::Listening && net.incarnation == frame.incarnation);
            if let Some(net) = net {
                if let Some(frame) = self.frames.get_mut(key) {
                    (frame.step, frame.pending, frame.decided) = (0, 0, NOWHERE);
                }
                self.serve(key, frame.pod, net, Span::ZERO);
            } else {
                self.frames.remove(key);
                self.deliver(&frame, Outcome::Failed(FailureKind::Reset), fabric);
            }
        }
    }

    /// The request reached a pod whose machine does not let it answer.
    pub(super) fn hang_at(&mut self, key: Key, pod: PodId, net: &PodNet) {
        if let Some(frame) = self.frames.get_mut(key) {
            (frame.pod, frame.incarnation, frame.machine) = (pod, net.incarnation, net.machine);
        }
        self.hang(key);
    }

    /// The request waits for an answer that never comes.
    pub(super) fn hang(&mut self, key: Key) {
        let limit = self.now + RETRANSMISSION_LIMIT;
        if let Some(frame) = self.frames.get_mut(key) {
            frame.phase = Phase::Hung;
            let at: Time = frame.deadline.min(limit);
            self.queue.push(at, What::Expire(key));
        }
    }
}
