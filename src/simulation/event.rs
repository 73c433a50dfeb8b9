//! What can happen in the cluster, apart from load.

use super::control::claims::Step;
use super::fabric::{MachineId, ServiceId};
use super::faults::ScopeId;

/// An event of the cluster. Pods are named by their row; `u32` after a pod is the incarnation of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A started machine's kubelet registers its node.
    Booted(MachineId),
    /// A new node's network works: it becomes Ready.
    NodeUp(MachineId),
    /// A kubelet renews its node's lease.
    Heartbeat(MachineId),
    /// A machine that is being terminated asks its processes to end.
    Signalled(MachineId),
    /// A machine goes silent.
    PowerOff(MachineId),

    /// A machine that is shut down asks its processes to end.
    ShutDown(MachineId),
    /// A machine that was off has booted, its kubelet included.
    PoweredOn(MachineId),
    /// The kubelet of a booted machine starts its pods again.
    RestartPods(MachineId),
    /// A kubelet that could not act can again.
    KubeletBack(MachineId),
    /// It posts the status of its pods.
    PodsPosted(MachineId),
    /// A scaling group looks at an instance that was stopped.
    InstanceCheck(MachineId),
    /// A fault strikes its victims from this one on.
    Strike(ScopeId, u32),
    /// A struck machine's time is over.
    Return(ScopeId, MachineId),
    /// A drain cordons its node.
    Cordon(ScopeId, MachineId),
    /// A drain evicts, or tries again.
    Drain(ScopeId, MachineId),
    /// A spot instance's notice has run out.
    Interrupted(ScopeId, MachineId),

    /// A kubelet starts a pod that was bound to its node.
    Start(u32),
    /// A pod's container runs.
    Running(u32, u32),
    /// A pod's process listens, if what it waits for is there.
    Listen(u32, u32),
    /// The kubelet reports a running container.
    ReportRunning(u32, u32),
    /// A container's process has done what it had to do.
    Ends(u32, u32),
    /// A probe runs; the second number names the run.
    Probe(u32, u32),
    /// A container that a probe had ended has ended.
    Killed(u32, u32),
    /// A pod has been active for as long as it may.
    PodDeadline(u32),
    /// The kubelet saw a container end by itself.
    Died(u32, u32),
    /// The kubelet starts an ended container again.
    Restart(u32, u32),
    /// The kubelet saw that a pod is to be deleted, or is gone from the API.
    Stop(u32),
    /// A stopped pod's process has ended.
    Stopped(u32, u32),
    /// A stopped pod's object goes.
    Remove(u32),

    /// The Deployment controller looks at a Deployment.
    Deployment(u32),
    /// The Deployment controller looks whether a roll-out has made progress in time.
    ProgressCheck(u32),
    /// The ReplicaSet controller looks at a ReplicaSet.
    ReplicaSet(u32),
    /// The StatefulSet controller looks at a StatefulSet.
    StatefulSet(u32),
    /// An autoscaler looks at its pods.
    Autoscale(u32),
    /// The metrics server asks the kubelets.
    Scrape,
    /// Something happens to volumes.
    Storage(Step),
    /// The Job controller looks at a Job.
    Job(u32),
    /// A finished Job has stayed for as long as it wanted.
    JobExpired(u32),
    /// The DaemonSet controller looks at all DaemonSets.
    DaemonSets,
    /// The scheduler takes its next pod.
    Schedule,
    /// A pod that did not fit may be tried again.
    Retry(u32),
    /// The EndpointSlice controller looks at a Service.
    Endpoints(u32),
    /// The disruption controller looks at a PodDisruptionBudget.
    Budget(u32),
    /// The node lifecycle controller looks at all nodes.
    NodeMonitor,
    /// The node lifecycle controller keeps new pods away from a lost node.
    NoSchedule(u32),
    /// The node lifecycle controller may taint the next node of a zone.
    TaintNext(u32),
    /// The taint manager deletes a pod whose toleration has run out; the second number counts its plans for the pod.
    Evict(u32, u32),
    /// Pod garbage collection looks.
    PodGc,
    /// The cloud controller looks at all nodes.
    CloudNodes,
    /// The auto scaling group replaces an instance.
    Replace,
    /// The Cluster Autoscaler scans, unless its pod is of another incarnation by now.
    Scan(u32, u32),
    /// The group starts an instance that the Cluster Autoscaler asked for.
    Launch,
    /// The resource quota controller counts what changed.
    Quotas,
    /// The resource quota controller counts everything.
    QuotaResync,
    /// A load balancer of a Service has been made.
    Provisioned(ServiceId),
    /// A load balancer learns which nodes there are.
    Targets(ServiceId),
    /// A load balancer checks one of its targets.
    HealthCheck(ServiceId, MachineId),
    /// A load balancer acts on what its checks found.
    Retarget(ServiceId),
    /// The garbage collector deletes what the owner of this uid left.
    Orphans(u64),
    /// The garbage collector looks at an owner that waits for its dependents.
    AwaitDependents(u64),
    /// The garbage collector takes an owner from its dependents.
    ReleaseDependents(u64),
    /// The namespace controller empties a namespace that is being deleted; the second number counts its retries.
    EmptyNamespace(u32, u32),
}
