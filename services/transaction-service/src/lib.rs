//! transaction-service: movements of money as their parties see them, from the request to the ledger's decision.

mod app;
pub mod config;
mod consumer;
mod deposits;
mod directory;
mod metrics;
mod peers;
mod transactions;
mod transfers;

pub use app::{App, openapi, routes};
pub use transfers::{ApprovalAbove, InvalidApprovalAbove};

/// In labels of metrics, and the prefix of its variables.
pub const SERVICE: &str = "transaction";
/// In events, tokens between services, consumer groups and logs.
pub const SERVICE_NAME: &str = "transaction-service";

mod embedded {
    refinery::embed_migrations!("../../migrations/transaction");
}

/// The schema of this service's database, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}
