//! What operators see of the ledger. Every series exists from the start, so that a rate over it is never missing.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{
    outcome::PostingResult,
    posting::{Posting, PostingType},
};
use crate::SERVICE;

const POSTINGS: &str = "wallet_ledger_postings_total";
const BATCH: &str = "wallet_ledger_batch_size";
const EXPIRED: &str = "wallet_ledger_holds_expired_total";
const MISREMEMBERED: &str = "wallet_ledger_misremembered_total";
const DURATION: &str = "wallet_ledger_post_duration_seconds";
const CHECK_DIFFERENCES: &str = "wallet_ledger_check_differences";
const CHECK_SUCCESS: &str = "wallet_ledger_check_last_success_timestamp_seconds";
const CHECK_DURATION: &str = "wallet_ledger_check_duration_seconds";
const CHECK_INTERVAL: &str = "wallet_ledger_check_interval_seconds";

/// Shows every series at zero.
pub(crate) fn register() {
    describe_counter!(
        POSTINGS,
        "Postings decided for the first time, or answered again, by outcome and type."
    );
    describe_histogram!(BATCH, "Postings of one database transaction.");
    describe_counter!(EXPIRED, "Holds that the clock ended.");
    counter!(EXPIRED, "service" => SERVICE).increment(0);
    describe_counter!(
        MISREMEMBERED,
        "Batches decided anew under lock, because somebody else had changed a balance."
    );
    counter!(MISREMEMBERED, "service" => SERVICE).increment(0);
    describe_histogram!(DURATION, "Time to write one batch, from its first statement to its commit.");
    for kind in PostingType::ALL {
        for outcome in ["posted", "refused", "replayed"] {
            counter!(POSTINGS, "service" => SERVICE, "outcome" => outcome, "type" => kind.name())
                .increment(0);
        }
    }
    let _ = histogram!(BATCH, "service" => SERVICE);
    let _ = histogram!(DURATION, "service" => SERVICE);
}

pub(super) fn decided(postings: &[Posting], results: &[PostingResult]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (posting, result) in postings.iter().zip(results) {
        let outcome = if result.replayed { "replayed" } else { result.outcome.name() };
        *counts.entry((outcome, posting.kind().name())).or_default() += 1;
    }
    for ((outcome, kind), count) in counts {
        counter!(POSTINGS, "service" => SERVICE, "outcome" => outcome, "type" => kind).increment(count);
    }
    let size = u32::try_from(postings.len()).unwrap_or(u32::MAX);
    histogram!(BATCH, "service" => SERVICE).record(f64::from(size));
}

/// Memory was not what the database has.
pub(super) fn misremembered() {
    counter!(MISREMEMBERED, "service" => SERVICE).increment(1);
}

pub(super) fn expired(holds: usize) {
    let holds = u64::try_from(holds).unwrap_or(u64::MAX);
    counter!(EXPIRED, "service" => SERVICE).increment(holds);
}

pub(super) fn wrote(took: Duration) {
    histogram!(DURATION, "service" => SERVICE).record(took);
}

/// Shows the series of the self-check. Its age is counted from here until it has come to an end once.
pub(super) fn register_checks(every: Duration, now: DateTime<Utc>) {
    describe_gauge!(
        CHECK_DIFFERENCES,
        "What the last check of the ledger found wrong; each kind counts up to 20."
    );
    describe_gauge!(CHECK_SUCCESS, "When a check of the ledger last came to its end, whatever it found.");
    describe_gauge!(CHECK_DURATION, "How long the last check of the ledger took.");
    describe_gauge!(CHECK_INTERVAL, "How often the ledger is to be checked.");
    gauge!(CHECK_DIFFERENCES, "service" => SERVICE).set(0.0);
    gauge!(CHECK_SUCCESS, "service" => SERVICE).set(since_epoch(now));
    gauge!(CHECK_DURATION, "service" => SERVICE).set(0.0);
    gauge!(CHECK_INTERVAL, "service" => SERVICE).set(every);
}

pub(super) fn checked(differences: usize, now: DateTime<Utc>, took: Duration) {
    let differences = u32::try_from(differences).unwrap_or(u32::MAX);
    gauge!(CHECK_DIFFERENCES, "service" => SERVICE).set(f64::from(differences));
    gauge!(CHECK_SUCCESS, "service" => SERVICE).set(since_epoch(now));
    gauge!(CHECK_DURATION, "service" => SERVICE).set(took);
}

fn since_epoch(now: DateTime<Utc>) -> Duration {
    (now - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
}
