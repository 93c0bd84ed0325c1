//! admin-service: support tickets, the hash-chained audit log, and what staff may do to a wallet.

pub mod app;
pub mod audit;
pub mod config;
mod docs;
mod events;
mod idempotent;
mod permissions;
mod services;
mod staff;
mod state;
mod text;
mod tickets;
mod wallets;

pub use events::AdminEvents;

use utoipa_axum::router::OpenApiRouter;

/// As it names itself in events, to other services and to Kafka.
pub const NAME: &str = "admin-service";
/// The label of its metrics.
pub const LABEL: &str = "admin";

mod embedded {
    refinery::embed_migrations!("../../migrations/admin");
}

/// The schema of its database.
pub fn migrations() -> common_db::migrate::Migrations {
    common_db::migrate::Migrations::new(&embedded::migrations::runner())
}

/// All routes of the API, with their description.
fn api() -> OpenApiRouter<state::AppState> {
    OpenApiRouter::new()
        .merge(tickets::routes::router())
        .merge(tickets::routes_mine::router())
        .merge(audit::routes::router())
        .merge(wallets::routes::router())
}

/// The contract, generated from the code.
pub fn openapi() -> utoipa::openapi::OpenApi {
    common_utils::http::docs::finish(
        api().into_openapi(),
        "Admin",
        "Support tickets, the audit log, and what staff may do to a wallet.",
    )
}
