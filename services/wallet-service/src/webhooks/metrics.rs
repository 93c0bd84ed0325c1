//! What operators see of webhooks. Every series exists from the start.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::entity::{Ending, Failure};
use crate::SERVICE;

const WEBHOOKS: &str = "wallet_webhooks_total";
const OLDEST: &str = "wallet_webhooks_oldest_seconds";

/// What happens at the door, and while one waits.
pub(super) const RECEIVED: &str = "received";
pub(super) const REPEATED: &str = "repeated";
pub(super) const INVALID_SIGNATURE: &str = "invalid_signature";
pub(super) const UNKNOWN_PROVIDER: &str = "unknown_provider";
pub(super) const POSTPONED: &str = "postponed";

/// The label of a provider that we do not have. What a stranger writes into an address is no label.
pub(super) const NOBODY: &str = "unknown";

pub(super) fn register(providers: impl Iterator<Item = &'static str>) {
    describe_counter!(WEBHOOKS, "Webhooks, at the door and when handled, by outcome.");
    describe_gauge!(OLDEST, "Age of the oldest webhook that has not ended.");
    webhooks(NOBODY, UNKNOWN_PROVIDER).increment(0);
    let endings = [
        Ending::Credited,
        Ending::Suspended,
        Ending::AboveLimit,
        Ending::AlreadyCredited,
        Ending::UnknownEvent,
    ];
    for provider in providers {
        for outcome in [RECEIVED, REPEATED, INVALID_SIGNATURE, POSTPONED] {
            webhooks(provider, outcome).increment(0);
        }
        for ending in endings.into_iter().chain(Failure::ALL.map(Ending::Failed)) {
            webhooks(provider, ending.name()).increment(0);
        }
    }
}

pub(super) fn counted(provider: &'static str, outcome: &'static str) {
    webhooks(provider, outcome).increment(1);
}

pub(super) fn oldest(seconds: f64) {
    gauge!(OLDEST, "service" => SERVICE).set(seconds.max(0.0));
}

fn webhooks(provider: &'static str, outcome: &'static str) -> metrics::Counter {
    counter!(WEBHOOKS, "service" => SERVICE, "provider" => provider, "outcome" => outcome)
}
