//! The SQL of transfers.

mod lease;
mod write;

pub(super) use lease::{count_initiated, release, take_expired, take_over};
pub(super) use write::{Begun, Settlement, Written, write};
