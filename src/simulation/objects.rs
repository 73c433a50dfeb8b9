//! The API objects of the cluster in compact form, their tables, and how they read as JSON.

pub mod autoscaling;
pub mod budget;
pub mod container;
pub mod custom;
pub mod job;
pub mod meta;
pub mod needs;
pub mod node;
pub mod parse;
pub mod pod;
pub mod pod_table;
pub mod project;
pub mod quantity;
pub mod resources;
pub mod selector;
pub mod service;
pub mod stateful_set;
pub mod storage;
pub mod store;
pub mod stored;
pub mod table;
pub mod template;
pub mod unmodelled;
pub mod workload;
