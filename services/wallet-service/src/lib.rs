//! wallet-service: wallets, the ledger behind them, the account numbers that lead to them, and what providers send.

pub mod app;
pub mod config;
pub mod ledger;
pub mod providers;
pub mod virtual_accounts;
pub mod wallets;
pub mod webhooks;
pub mod work;

mod embedded {
    refinery::embed_migrations!("../../migrations/wallet");
}

/// The name in metrics, paths and database templates.
pub const SERVICE: &str = "wallet";

/// The name in events, tokens between services and consumer groups.
pub const SERVICE_NAME: &str = "wallet-service";

/// The schema of this service, with what every database has.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}

/// The public contract.
pub fn openapi() -> utoipa::openapi::OpenApi {
    app::public_routes().split_for_parts().1
}
