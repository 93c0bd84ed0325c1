//! The service from outside: its real router on a real Postgres, and its consumer on a real Kafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod access;
mod audit;
mod bad_input;
mod contract;
mod dead_letters;
mod events;
mod neighbours;
mod own_tickets;
mod poison;
mod projections;
mod support;
mod tickets;
mod wallets;
mod webhooks;
mod world;
