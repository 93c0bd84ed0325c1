//! The platform as processes of its own on real servers: the main job, and what happens when things break.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod broken_servers;
mod contract;
mod crash;
mod customers;
mod deployment;
mod machines;
mod main_job;
#[path = "../support/monitoring/mod.rs"]
mod monitoring;
mod observed;
mod planted;
mod tour;
