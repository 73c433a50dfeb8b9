//! The network's laws, on fabrics built by hand.

mod calling;
mod cases;
mod failures;
mod journeys;
mod laws;
mod load;
mod memory;
mod rig;
mod routing;
