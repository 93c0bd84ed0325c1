//! What identity-service counts. Every series is there from the start, so that a rate has a zero to begin at.

use metrics::{counter, describe_counter};

use crate::SERVICE;

const LOGINS: &str = "wallet_identity_logins_total";
const REGISTRATIONS: &str = "wallet_identity_registrations_total";
const KYC_CHECKS: &str = "wallet_identity_kyc_checks_total";
const REFRESH_REUSE: &str = "wallet_identity_refresh_reuse_total";

const LOGIN_OUTCOMES: [&str; 4] = ["success", "invalid_credentials", "inactive", "error"];
const KYC_OUTCOMES: [&str; 8] =
    ["verified", "already_verified", "mismatch", "not_found", "taken", "refused", "unavailable", "error"];

pub(crate) fn register() {
    describe_counter!(LOGINS, "Logins, by how they ended.");
    describe_counter!(REGISTRATIONS, "People who registered.");
    describe_counter!(KYC_CHECKS, "Checks of a bank verification number, by how they ended.");
    describe_counter!(REFRESH_REUSE, "Sessions ended because a used refresh token came back.");
    for outcome in LOGIN_OUTCOMES {
        counter!(LOGINS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    for outcome in KYC_OUTCOMES {
        counter!(KYC_CHECKS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    counter!(REGISTRATIONS, "service" => SERVICE).increment(0);
    counter!(REFRESH_REUSE, "service" => SERVICE).increment(0);
}

pub(crate) fn login(outcome: &'static str) {
    counter!(LOGINS, "service" => SERVICE, "outcome" => outcome).increment(1);
}

pub(crate) fn registered() {
    counter!(REGISTRATIONS, "service" => SERVICE).increment(1);
}

pub(crate) fn kyc_checked(outcome: &'static str) {
    counter!(KYC_CHECKS, "service" => SERVICE, "outcome" => outcome).increment(1);
}

pub(crate) fn refresh_reused() {
    counter!(REFRESH_REUSE, "service" => SERVICE).increment(1);
}
