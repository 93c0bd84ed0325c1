//! wallet-service: wallets, the ledger behind them, the account numbers that lead to them, and what providers send.

mod app;
pub mod cli;
pub mod config;
pub mod ledger;
pub mod owners;
pub mod providers;
pub mod virtual_accounts;
pub mod wallets;
pub mod webhooks;

pub use app::{App, AppState, openapi, routes};
pub use common_utils::work;

/// In labels of metrics, and the prefix of its variables.
pub const SERVICE: &str = "wallet";
/// In events, tokens between services, consumer groups and logs.
pub const SERVICE_NAME: &str = "wallet-service";

mod embedded {
    refinery::embed_migrations!("../../migrations/wallet");
}

/// The schema of this service's database, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}
