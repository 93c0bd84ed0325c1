//! The service over HTTP, on a real Postgres and the provider's twin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod virtual_accounts;
mod webhooks;
mod webhooks_bank;
mod webhooks_deposits;
