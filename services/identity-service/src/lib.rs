//! identity-service: who people are, how they sign in, and what is verified of them.
//!
//! A feature is a folder: `users` (profile and roles), `auth` (registering and logging in), `sessions` (refreshing and
//! logging out), `kyc` (the bank verification number). `internal` is what other services may ask.

mod app;
mod auth;
pub mod cli;
pub mod config;
mod crypto;
mod internal;
mod jwks;
mod kyc;
mod metrics;
mod sessions;
mod users;

pub use app::{App, openapi};
pub use kyc::HttpKycConfig;

/// In labels of metrics, and the prefix of its variables.
pub const SERVICE: &str = "identity";
/// In events, tokens between services, consumer groups and logs.
pub const SERVICE_NAME: &str = "identity-service";

mod embedded {
    refinery::embed_migrations!("../../migrations/identity");
}

/// The schema of this service's database, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}
