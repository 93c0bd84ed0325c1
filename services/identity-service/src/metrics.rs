//! What identity-service counts. Every series is there from the start, so that a rate has a zero to begin at.

use metrics::{counter, describe_counter};

use crate::SERVICE;

const LOGINS: &str = "wallet_identity_logins_total";
const REGISTRATIONS: &str = "wallet_identity_registrations_total";
const KYC_CHECKS: &str = "wallet_identity_kyc_checks_total";
const REFRESH_REUSE: &str = "wallet_identity_refresh_reuse_total";
const HELD_BACK: &str = "wallet_identity_logins_held_back_total";
const ACCOUNTS_LOCKED: &str = "wallet_identity_accounts_locked_total";
const SOURCES_BLOCKED: &str = "wallet_identity_sources_blocked_total";
const SESSIONS_ENDED: &str = "wallet_identity_sessions_ended_total";
const API_KEY_EXCHANGES: &str = "wallet_identity_api_key_exchanges_total";
const PIN_CHECKS: &str = "wallet_identity_pin_checks_total";
const FACTOR_CHECKS: &str = "wallet_identity_second_factor_checks_total";
const PASSKEYS: &str = "wallet_identity_passkey_ceremonies_total";
const PASSKEYS_CLONED: &str = "wallet_identity_passkeys_cloned_total";
const DEVICES: &str = "wallet_identity_device_signatures_total";

const MASTER_KEY_CALLS: &str = "wallet_identity_master_key_calls_total";
const ERASURES: &str = "wallet_identity_erasures_total";

const CHECKED_METHODS: [&str; 2] = ["totp", "recovery"];
const LOGIN_OUTCOMES: [&str; 7] = [
    "success",
    "second_factor_asked",
    "invalid_credentials",
    "invalid_code",
    "inactive",
    "held_back",
    "error",
];
const HOLDERS: [&str; 3] = ["account_and_source", "account", "source"];
const END_REASONS: [&str; 9] = [
    "logout",
    "ended",
    "reuse",
    "password_changed",
    "deactivated",
    "suspended",
    "erased",
    "device_revoked",
    "too_many",
];
const MASTER_KEY_OPERATIONS: [&str; 2] = ["wrap", "unwrap"];
const MASTER_KEY_OUTCOMES: [&str; 3] = ["ok", "unavailable", "refused"];
const ERASURE_STEPS: [&str; 2] = ["erased", "forgotten"];
const PASSKEY_PURPOSES: [&str; 4] = ["register", "sign_in", "second_factor", "step_up"];
const DEVICE_PURPOSES: [&str; 3] = ["bind", "unlock", "step_up"];
const EXCHANGE_OUTCOMES: [&str; 5] = ["issued", "invalid_client", "inactive", "invalid_scope", "error"];
const KYC_OUTCOMES: [&str; 9] = [
    "verified",
    "already_verified",
    "undecided",
    "mismatch",
    "not_found",
    "taken",
    "refused",
    "unavailable",
    "error",
];

pub(crate) fn register() {
    describe_counter!(LOGINS, "Logins, by how they ended.");
    describe_counter!(REGISTRATIONS, "People who registered.");
    describe_counter!(KYC_CHECKS, "Checks of a bank verification number, by how they ended.");
    describe_counter!(REFRESH_REUSE, "Sessions ended because a used refresh token came back.");
    describe_counter!(HELD_BACK, "Sign-ins that had to wait after failures, by what was counted.");
    describe_counter!(ACCOUNTS_LOCKED, "Accounts at which strangers wait because too many sign-ins failed.");
    describe_counter!(
        SOURCES_BLOCKED,
        "Addresses that wait because sign-ins at many accounts have failed from there."
    );
    describe_counter!(
        MASTER_KEY_CALLS,
        "People's keys that a master key wrapped or opened, by how that ended."
    );
    for operation in MASTER_KEY_OPERATIONS {
        for outcome in MASTER_KEY_OUTCOMES {
            let labels = [("service", SERVICE), ("operation", operation), ("outcome", outcome)];
            counter!(MASTER_KEY_CALLS, &labels).increment(0);
        }
    }
    describe_counter!(ERASURES, "People who were erased, and those of them whose evidence was deleted.");
    for step in ERASURE_STEPS {
        counter!(ERASURES, "service" => SERVICE, "step" => step).increment(0);
    }
    for by in HOLDERS {
        counter!(HELD_BACK, "service" => SERVICE, "by" => by).increment(0);
    }
    counter!(ACCOUNTS_LOCKED, "service" => SERVICE).increment(0);
    counter!(SOURCES_BLOCKED, "service" => SERVICE).increment(0);
    describe_counter!(SESSIONS_ENDED, "Sessions that ended before their time, by why.");
    for reason in END_REASONS {
        counter!(SESSIONS_ENDED, "service" => SERVICE, "reason" => reason).increment(0);
    }
    describe_counter!(API_KEY_EXCHANGES, "API keys handed in for a token, by how that ended.");
    for outcome in EXCHANGE_OUTCOMES {
        counter!(API_KEY_EXCHANGES, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    describe_counter!(PASSKEYS, "Answers of authenticators, by what for and whether they were taken.");
    describe_counter!(PASSKEYS_CLONED, "Passkeys that were disabled because there seemed to be two of them.");
    describe_counter!(DEVICES, "Signatures of bound devices, by what for and whether they were taken.");
    for outcome in [taken(true), taken(false)] {
        for purpose in PASSKEY_PURPOSES {
            counter!(PASSKEYS, "service" => SERVICE, "purpose" => purpose, "outcome" => outcome).increment(0);
        }
        for purpose in DEVICE_PURPOSES {
            counter!(DEVICES, "service" => SERVICE, "purpose" => purpose, "outcome" => outcome).increment(0);
        }
    }
    counter!(PASSKEYS_CLONED, "service" => SERVICE).increment(0);
    for outcome in LOGIN_OUTCOMES {
        counter!(LOGINS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    for outcome in KYC_OUTCOMES {
        counter!(KYC_CHECKS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    describe_counter!(
        FACTOR_CHECKS,
        "Second factors that were given, by method and whether they were right."
    );
    for method in CHECKED_METHODS {
        for outcome in ["right", "wrong"] {
            counter!(FACTOR_CHECKS, "service" => SERVICE, "method" => method, "outcome" => outcome)
                .increment(0);
        }
    }
    describe_counter!(
        PIN_CHECKS,
        "Transaction PINs that were given: right, wrong, or not looked at because the PIN is locked."
    );
    for outcome in ["right", "wrong", "locked"] {
        counter!(PIN_CHECKS, "service" => SERVICE, "outcome" => outcome).increment(0);
    }
    counter!(REGISTRATIONS, "service" => SERVICE).increment(0);
    counter!(REFRESH_REUSE, "service" => SERVICE).increment(0);
}

pub(crate) fn api_key_exchanged(outcome: &'static str) {
    counter!(API_KEY_EXCHANGES, "service" => SERVICE, "outcome" => outcome).increment(1);
}

pub(crate) fn login(outcome: &'static str) {
    counter!(LOGINS, "service" => SERVICE, "outcome" => outcome).increment(1);
}

pub(crate) fn factor_checked(method: &'static str, right: bool) {
    let outcome = if right { "right" } else { "wrong" };
    counter!(FACTOR_CHECKS, "service" => SERVICE, "method" => method, "outcome" => outcome).increment(1);
}

pub(crate) fn pin_checked(outcome: &'static str) {
    counter!(PIN_CHECKS, "service" => SERVICE, "outcome" => outcome).increment(1);
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

pub(crate) fn sessions_ended(reason: &'static str, sessions: u64) {
    counter!(SESSIONS_ENDED, "service" => SERVICE, "reason" => reason).increment(sessions);
}

pub(crate) fn master_key_called(operation: &'static str, outcome: &'static str) {
    let labels = [("service", SERVICE), ("operation", operation), ("outcome", outcome)];
    counter!(MASTER_KEY_CALLS, &labels).increment(1);
}

pub(crate) fn erased(step: &'static str) {
    counter!(ERASURES, "service" => SERVICE, "step" => step).increment(1);
}

pub(crate) fn login_held_back(by: &'static str) {
    counter!(HELD_BACK, "service" => SERVICE, "by" => by).increment(1);
}

pub(crate) fn account_locked() {
    counter!(ACCOUNTS_LOCKED, "service" => SERVICE).increment(1);
}

fn taken(right: bool) -> &'static str {
    if right { "success" } else { "refused" }
}

pub(crate) fn passkey_used(purpose: &'static str, right: bool) {
    counter!(PASSKEYS, "service" => SERVICE, "purpose" => purpose, "outcome" => taken(right)).increment(1);
}

pub(crate) fn passkey_cloned() {
    counter!(PASSKEYS_CLONED, "service" => SERVICE).increment(1);
}

pub(crate) fn device_used(purpose: &'static str, right: bool) {
    counter!(DEVICES, "service" => SERVICE, "purpose" => purpose, "outcome" => taken(right)).increment(1);
}

pub(crate) fn source_blocked() {
    counter!(SOURCES_BLOCKED, "service" => SERVICE).increment(1);
}
