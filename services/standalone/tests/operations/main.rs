//! What operators rely on, checked without a Docker engine: the compose file, the images, the scrape configuration, the
//! alert rules and the dashboards name only what exists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helper functions"
)]

mod alerts;
mod compose;
mod compose_cluster;
mod dashboards;
mod dockerfile;
mod environment;
mod files;
mod init_scripts;
#[path = "../support/monitoring/mod.rs"]
mod monitoring;
