//! Laws of the scheduler, each after the Kubernetes file that states it.

mod autoscaler;
mod build;
mod filters;
mod messages;
mod preemption;
mod properties;
mod scores;
mod speed;
