//! Events on a real Postgres, a real Kafka and a real Redis; what needs no cluster also on the embedded broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod broken;
mod brokers;
mod cluster;
mod delivery;
mod locks;
mod members;
mod outbox;
mod registry;
mod tail;
mod topics;
mod world;
