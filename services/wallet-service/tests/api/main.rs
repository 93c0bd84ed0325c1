//! The service over HTTP, on a real Postgres and the provider's twin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod ledger;
mod ledger_concurrency;
mod ledger_failures;
mod ledger_memory;
mod ledger_model;
mod ledger_orders;
mod ledger_races;
mod ledger_reads;
mod ledger_schema;
mod ledger_self_check;
mod ledger_verify;
mod ledger_verify_links;
mod limits;
mod limits_decisions;
mod limits_deposits;
mod limits_races;
mod machines;
mod postings;
mod postings_groups;
mod postings_holds;
mod postings_misfits;
mod postings_requests;
mod postings_returns;
mod support;
mod virtual_accounts;
mod wallets;
mod wallets_consumer;
mod wallets_history;
mod wallets_internal;
mod wallets_orders;
mod wallets_statement;
mod webhooks;
mod webhooks_bank;
mod webhooks_deposits;
