//! identity-service over HTTP: the real routes on a real listener, a real Postgres, the provider's twin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod api_keys;
mod api_keys_ended;
mod api_keys_repeated;
mod authenticator;
mod browser;
mod command;
mod contacts;
mod contract;
mod deactivation;
mod devices;
mod enumeration;
mod erasure;
mod factors;
mod forgotten;
mod guessing;
mod import;
mod internal;
mod key_rotation;
mod kyc;
mod kyc_cases;
mod kyc_documents;
mod kyc_partial;
mod kyc_reviews;
mod kyc_secrets;
mod kyc_trouble;
mod kyc_validity;
mod kyc_world;
mod login;
mod mailbox;
mod mfa_login;
mod notices;
mod order_of_changes;
mod own_sessions;
mod passkeys;
mod passkeys_browser;
mod passkeys_use;
mod passwords;
mod personal_data;
mod phone;
mod pin;
mod process;
mod profile;
mod register;
mod sessions;
mod shut_out;
mod signing_keys;
mod step_up;
mod support;
mod suspension;
mod takeover;
mod tokens;
mod totp;
