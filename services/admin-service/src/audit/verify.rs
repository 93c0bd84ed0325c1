//! Verifies the chain: every entry follows the one before without a gap, still has the hash that it was given, and the
//! last one is the one that the head names.
//!
//! The head is read first; what is appended while we verify is not looked at. Who can rewrite every entry after a
//! change and the head as well leaves no trace here: against that, keep a hash somewhere else now and then.

use common_db::PgPool;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    chain::{Entry, GENESIS, Head},
    repo,
};

const BATCH: i64 = 1000;

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditVerification)]
pub struct Verification {
    pub ok: bool,
    /// How many entries were found whole, from the first on.
    pub entries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_broken: Option<Broken>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokenAuditEntry)]
pub struct Broken {
    pub sequence: i64,
    pub reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BrokenAuditEntryReason)]
pub enum Reason {
    /// There is no entry with this number.
    Missing,
    /// Its `previousHash` is not the hash of the entry before.
    NotLinked,
    /// Its content does not give its `hash`.
    Changed,
    /// The head of the chain names another one as the last entry, or entries follow it that were never appended.
    NotTheHead,
}

/// Recomputes the chain, a batch at a time.
pub async fn verify(pool: &PgPool) -> sqlx::Result<Verification> {
    let (head, last) = repo::head_and_last(pool).await?;
    let mut end = Head { sequence: 0, hash: GENESIS };
    while end.sequence < head.sequence {
        let entries = repo::following(pool, end.sequence, head.sequence, BATCH).await?;
        if entries.is_empty() {
            return Ok(broken(end, Reason::Missing));
        }
        for entry in &entries {
            if let Some(reason) = fault(&end, entry) {
                return Ok(broken(end, reason));
            }
            end = entry.head();
        }
    }
    if end != head || last > head.sequence {
        let first_broken = Some(Broken { sequence: end.sequence, reason: Reason::NotTheHead });
        return Ok(Verification { ok: false, entries: end.sequence, first_broken });
    }
    Ok(Verification { ok: true, entries: end.sequence, first_broken: None })
}

/// What is wrong with the entry that should follow `end`.
fn fault(end: &Head, entry: &Entry) -> Option<Reason> {
    if end.sequence.checked_add(1) != Some(entry.sequence) {
        Some(Reason::Missing)
    } else if entry.previous_hash != end.hash {
        Some(Reason::NotLinked)
    } else if !entry.untouched() {
        Some(Reason::Changed)
    } else {
        None
    }
}

/// The entry after `end` is the first that is broken.
fn broken(end: Head, reason: Reason) -> Verification {
    let first_broken = Some(Broken { sequence: end.sequence.saturating_add(1), reason });
    Verification { ok: false, entries: end.sequence, first_broken }
}
