//! The scheduler, situation by situation. Sources are below pkg/scheduler/framework/plugins unless they say otherwise; the
//! situations are those of the test tables beside them, retold.

mod affinity;
mod cluster;
mod hosts;
mod messages;
mod preemption;
mod scores;
mod selection;
mod spread;
mod spread_scores;
mod table;
