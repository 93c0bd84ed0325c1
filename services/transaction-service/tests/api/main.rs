//! The routes on a real Postgres, with a stand-in for the contracts of identity-service and wallet-service where
//! faults are needed, the real wallet-service for the main path, and a real Kafka where events are taken in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod approval;
mod bad_input;
mod ceilings;
mod concurrency;
mod events;
mod keys;
mod killed;
mod limits;
mod limits_at_once;
mod limits_model;
mod lists;
mod machines;
mod peers;
mod real_wallet;
mod recovery;
mod revocation;
mod schema;
mod support;
mod transfers;
