//! admin-service: support tickets and what support sees of customers, the hash-chained audit log, dead letters, webhooks for
//! integrators, and what staff may do to a wallet.

mod app;
pub mod audit;
pub mod cli;
pub mod config;
mod dead_letters;
mod events;
mod merged;
pub mod projections;
mod services;
mod staff;
mod support;
mod text;
mod tickets;
mod wallets;
mod webhooks;

pub use app::{App, openapi, routes};
pub use events::AdminEvents;
pub use webhooks::WebhookEvents;

/// In labels of metrics, and the prefix of its variables.
pub const SERVICE: &str = "admin";
/// In events, tokens between services, consumer groups and logs.
pub const SERVICE_NAME: &str = "admin-service";

mod embedded {
    refinery::embed_migrations!("../../migrations/admin");
}

/// The schema of this service's database, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}
