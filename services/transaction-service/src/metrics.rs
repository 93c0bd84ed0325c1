//! What operators see of transactions. Every series exists from the start, so that a rate over it is never missing.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{
    SERVICE,
    transactions::{LimitName, Status, Transaction, TransactionType},
};

const TRANSACTIONS: &str = "wallet_transactions_total";
const INITIATED: &str = "wallet_transactions_initiated";
const DURATION: &str = "wallet_transfer_duration_seconds";
const RECOVERED: &str = "wallet_transfers_recovered_total";
const OVER_LIMIT: &str = "wallet_transfer_limit_refusals_total";
const FALLBACKS: &str = "wallet_directory_fallbacks_total";

/// What recovery made of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    Completed,
    Failed,
    /// The ledger did not answer; it is tried again.
    Unanswered,
}

impl Recovered {
    fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Shows every series at zero.
pub(crate) fn register() {
    describe_counter!(TRANSACTIONS, "Transactions that came into a status, by type.");
    describe_gauge!(INITIATED, "Transfers that are accepted and not yet decided.");
    describe_histogram!(DURATION, "Time from the claim of the key to the ledger's decision, written down.");
    describe_counter!(RECOVERED, "Attempts to end a transfer that its request left behind, by outcome.");
    describe_counter!(
        FALLBACKS,
        "Look-ups that the directory could not answer, by the service that was asked."
    );
    describe_counter!(OVER_LIMIT, "Transfers that were refused because of a limit, by which one.");
    let series = [
        (TransactionType::Transfer, Status::Initiated),
        (TransactionType::Transfer, Status::Completed),
        (TransactionType::Transfer, Status::Failed),
        (TransactionType::Deposit, Status::Completed),
    ];
    for (kind, status) in series {
        count(kind, status, 0);
    }
    for outcome in [Recovered::Completed, Recovered::Failed, Recovered::Unanswered] {
        recovered(outcome, 0);
    }
    for limit in [LimitName::DailyOutflow, LimitName::NewDevice, LimitName::RecipientCeiling] {
        counter!(OVER_LIMIT, "service" => SERVICE, "limit" => limit.name()).increment(0);
    }
    for asked in ["identity", "wallet"] {
        counter!(FALLBACKS, "service" => SERVICE, "asked" => asked).increment(0);
    }
    gauge!(INITIATED, "service" => SERVICE).set(0.0);
    let _ = histogram!(DURATION, "service" => SERVICE);
}

fn count(kind: TransactionType, status: Status, times: u64) {
    counter!(TRANSACTIONS, "service" => SERVICE, "type" => kind.name(), "status" => status.name())
        .increment(times);
}

/// Each of these came into its status now.
pub(crate) fn entered<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) {
    let mut counts: Vec<(TransactionType, Status, u64)> = Vec::new();
    for transaction in transactions {
        let (kind, status) = (transaction.kind, transaction.status);
        match counts.iter_mut().find(|(one, other, _)| (*one, *other) == (kind, status)) {
            Some((_, _, times)) => *times += 1,
            None => counts.push((kind, status, 1)),
        }
    }
    for (kind, status, times) in counts {
        count(kind, status, times);
    }
}

/// A deposit came in.
pub(crate) fn deposited() {
    count(TransactionType::Deposit, Status::Completed, 1);
}

pub(crate) fn recovered(outcome: Recovered, times: u64) {
    counter!(RECOVERED, "service" => SERVICE, "outcome" => outcome.label()).increment(times);
}

/// A transfer failed because of this limit.
pub(crate) fn over_limit(limit: LimitName) {
    counter!(OVER_LIMIT, "service" => SERVICE, "limit" => limit.name()).increment(1);
}

pub(crate) fn decided(took: Duration) {
    histogram!(DURATION, "service" => SERVICE).record(took);
}

pub(crate) fn initiated(open: i64) {
    gauge!(INITIATED, "service" => SERVICE).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
}

pub(crate) fn fallback(asked: &'static str) {
    counter!(FALLBACKS, "service" => SERVICE, "asked" => asked).increment(1);
}
