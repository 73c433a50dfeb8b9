//! The safety core: what must exist before anything is broken on a real cluster.
//!
//! It knows no kind of cluster. Each cluster's module says how its own changes are undone ([`restore::Restorer`]) and calls the rest:
//!
//! * [`policy`] says which clusters may be broken, and how much of them: a [`policy::Permission`] and a [`policy::Strike`] can only be had
//!   there.
//! * [`lease`] keeps experiments on one cluster from meeting.
//! * [`journal`] holds on disk what is about to be changed; [`state`] says where, [`run_id`] names the run, [`identity`] the cluster and
//!   the process.
//! * [`plan`] says what a run would do before it does it.
//! * [`mod@scope`] runs what changes a cluster and undoes it whatever happens; [`restore`] is how.
//! * [`audit`] compares the cluster after a run with what it was before.
//! * [`watchdog`] undoes when the process was killed, [`recover`] when the machine was.

pub mod audit;
mod clock;
pub mod hold;
pub mod identity;
pub mod journal;
pub mod lease;
pub mod plan;
pub mod policy;
pub mod recover;
pub mod restore;
pub mod run_id;
pub mod scope;
pub mod state;
pub mod watchdog;

pub use identity::Identity;
pub use lease::{Connector, Lease};
pub use policy::{Permission, Policy, Strike};
pub use restore::chain;
pub use restore::{Description, Limits, Registry, Restorer, Rollback, Undone};
pub use run_id::RunId;
pub use scope::{Ended, Scope, scope};
pub use state::State;
