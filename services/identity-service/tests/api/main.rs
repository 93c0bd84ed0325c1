//! identity-service over HTTP: the real routes on a real listener, a real Postgres, the provider's twin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod command;
mod contacts;
mod contract;
mod deactivation;
mod forgotten;
mod guessing;
mod import;
mod internal;
mod key_rotation;
mod kyc;
mod kyc_cases;
mod kyc_documents;
mod kyc_reviews;
mod kyc_secrets;
mod kyc_validity;
mod kyc_world;
mod login;
mod mailbox;
mod notices;
mod own_sessions;
mod passwords;
mod personal_data;
mod process;
mod profile;
mod register;
mod sessions;
mod signing_keys;
mod support;
mod tokens;
