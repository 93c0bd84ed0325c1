//! What operators see of account numbers. Every series exists from the start.

use metrics::{counter, describe_counter};

use crate::SERVICE;

const ACCOUNTS: &str = "wallet_virtual_accounts_total";
const OUTCOMES: [&str; 7] = [
    "issued",
    "not_verified",
    "identity_unavailable",
    "provider_unavailable",
    "provider_refused",
    "conflict",
    "internal",
];

pub(super) fn register() {
    describe_counter!(ACCOUNTS, "Attempts to get an account number for a wallet, by outcome.");
    for outcome in OUTCOMES {
        counter!(ACCOUNTS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
}

pub(super) fn attempted(outcome: &'static str) {
    counter!(ACCOUNTS, "service" => SERVICE, "outcome" => outcome).increment(1);
}
