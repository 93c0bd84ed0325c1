//! What became of cases, what was found, and how many wait for whom.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

use super::{
    super::evidence::{EvidenceKind, Finding},
    Cases,
    entity::{Action, Status},
    repo,
};
use crate::SERVICE;

const DECISIONS: &str = "wallet_identity_kyc_decisions_total";
const EVIDENCE: &str = "wallet_identity_kyc_evidence_checks_total";
const CASES: &str = "wallet_identity_kyc_cases";
const OLDEST: &str = "wallet_identity_kyc_cases_oldest_seconds";
const UPLOADS_REFUSED: &str = "wallet_identity_kyc_uploads_refused_total";
const OPEN: [Status; 3] = [Status::Submitted, Status::InReview, Status::MoreNeeded];
const DECIDERS: [&str; 3] = ["person", "rules", "reviewer"];
const WATCH: Duration = Duration::from_secs(15);

/// Shows them from the start, at zero.
pub(crate) fn register() {
    describe_counter!(DECISIONS, "What was done to KYC cases, by whom.");
    describe_counter!(EVIDENCE, "Evidence of KYC cases that was looked up, by what was found.");
    describe_gauge!(CASES, "KYC cases that have not ended, by status.");
    describe_gauge!(OLDEST, "For how long the oldest KYC case of a status has been in it.");
    describe_counter!(
        UPLOADS_REFUSED,
        "Documents that were not taken because there was no room in memory for them."
    );
    counter!(UPLOADS_REFUSED, "service" => SERVICE).increment(0);
    for (action, by) in Action::ALL.into_iter().flat_map(|action| DECIDERS.map(|by| (action, by))) {
        counter!(DECISIONS, "service" => SERVICE, "action" => action.name(), "by" => by).increment(0);
    }
    for kind in EvidenceKind::ALL {
        for outcome in Finding::ALL.map(Finding::name).into_iter().chain(["unavailable"]) {
            counter!(EVIDENCE, "service" => SERVICE, "kind" => kind.name(), "outcome" => outcome)
                .increment(0);
        }
    }
    for status in OPEN {
        gauge!(CASES, "service" => SERVICE, "status" => status.name()).set(0.0);
        gauge!(OLDEST, "service" => SERVICE, "status" => status.name()).set(0.0);
    }
}

pub(super) fn decided(action: Action, by: &'static str) {
    counter!(DECISIONS, "service" => SERVICE, "action" => action.name(), "by" => by).increment(1);
}

pub(in crate::kyc) fn upload_refused() {
    counter!(UPLOADS_REFUSED, "service" => SERVICE).increment(1);
}

/// None: the provider did not answer.
pub(super) fn checked(kind: EvidenceKind, finding: Option<Finding>) {
    let outcome = finding.map_or("unavailable", Finding::name);
    counter!(EVIDENCE, "service" => SERVICE, "kind" => kind.name(), "outcome" => outcome).increment(1);
}

/// Keeps the gauges fresh until `shutdown`.
pub(crate) async fn watch(cases: Cases, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Ok(standing) = repo::standing(&cases.pool, cases.clock.now()).await else { continue };
        for status in OPEN {
            let found = standing.iter().find(|row| row.status == status.name());
            let count = found.map_or(0, |row| u32::try_from(row.cases).unwrap_or(u32::MAX));
            gauge!(CASES, "service" => SERVICE, "status" => status.name()).set(f64::from(count));
            let oldest = found.map_or(0.0, |row| row.oldest_seconds);
            gauge!(OLDEST, "service" => SERVICE, "status" => status.name()).set(oldest);
        }
    }
}
