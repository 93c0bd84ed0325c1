//! The gateway as its clients and the services see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test fails as a test does; clippy knows the test functions only"
)]

mod correlation;
mod cors;
mod keys;
mod limits;
mod metrics;
mod proxy;
mod routing;
mod strict_config;
mod support;
mod table_of_answers;
