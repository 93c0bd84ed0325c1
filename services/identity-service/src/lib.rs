//! identity-service: who people are, how they sign in, and what is verified of them.
//!
//! A feature is a folder: `users` (profile and roles), `auth` (registering and logging in), `guard` (who guesses passwords waits),
//! `sessions` (refreshing, logging out, and what other services learn of it), `contacts` (proving and changing an address or number),
//! `passwords` (changing and resetting), `factors` (second factors, and proving once more who one is), `passkeys` (keys of
//! authenticators, which sign in without a password), `devices` (phones that are bound to an account), `begun` (what of these is not finished),
//! `pin` (the transaction PIN),
//! `api_keys` (for machines that act for somebody), `reclaim` (takes all that away where an account may be in another's hands), `deactivation`, `suspension`, `erasure`, `crypto` (personal data under people's own keys), `kyc` (verifying people: numbers, cases, documents, reviews). `notices` are the messages to people,
//! `codes` what is in some of them, `allowances` how often something may be done. `import` brings people in from another system.
//! `internal` is what other services may ask.

mod allowances;
mod api_keys;
mod app;
mod auth;
mod begun;
pub mod cli;
mod codes;
pub mod config;
mod contacts;
mod crypto;
mod deactivation;
mod devices;
mod erasure;
mod factors;
mod guard;
mod import;
mod internal;
mod jwks;
mod key_name;
pub mod keys;
mod kyc;
mod metrics;
mod notices;
mod passkeys;
mod passwords;
mod pin;
mod reclaim;
mod sessions;
mod state;
mod suspension;
mod tidy;
mod users;

pub use api_keys::config::ApiKeyConfig;
pub use app::{App, openapi, routes};
pub use crypto::KmsConfig;
pub use devices::DeviceConfig;
pub use kyc::HttpKycConfig;
pub use notices::config as notice_config;
pub use passkeys::PasskeyConfig;
pub use passwords::ResetConfig;

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
