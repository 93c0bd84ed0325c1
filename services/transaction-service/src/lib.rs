//! transaction-service: movements of money as their parties see them, from the request to the ledger's decision.

pub mod app;
pub mod config;
mod consumer;
mod deposits;
mod directory;
mod metrics;
mod peers;
mod transactions;
mod transfers;

mod embedded {
    refinery::embed_migrations!("../../migrations/transaction");
}

/// The name in metrics, paths and database templates.
pub const SERVICE: &str = "transaction";

/// The name in events, tokens between services and consumer groups.
pub const SERVICE_NAME: &str = "transaction-service";

/// The schema of this service, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}

/// The public contract.
pub fn openapi() -> utoipa::openapi::OpenApi {
    app::public_routes().split_for_parts().1
}
