//! The audit log: one entry for each event of every topic, appended in the transaction that notes the event in the
//! inbox, so an event is logged exactly once. What staff do is in it because it causes events; reading the log is
//! not, it goes to the service's own log.

mod chain;
mod record;
mod repo;
pub(crate) mod routes;
mod verify;

pub use verify::{Broken, Reason, Verification, verify};

use std::time::Duration;

use common_db::{Op, PgPool};
use common_events::{Event, HandlerError};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

use self::chain::{Entry, Record};

const ENTRIES: &str = "wallet_audit_entries_total";
const LAST: &str = "wallet_audit_last_sequence";
const WATCH: Duration = Duration::from_secs(5);

/// Appends the events to the chain, in their order. Whoever else appends waits until this transaction ends.
pub(crate) async fn append_in_op(op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
    let records = events.iter().map(|event| Record::of(event)).collect::<serde_json::Result<Vec<_>>>()?;
    let mut head = repo::lock_head_in_op(op).await?;
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        let entry = Entry::after(&head, record)
            .ok_or_else(|| HandlerError::Failed(anyhow::anyhow!("the audit log has no numbers left")))?;
        head = entry.head();
        entries.push(entry);
    }
    Ok(repo::append_in_op(op, &entries, &head).await?)
}

/// Shows the metrics from the start, at zero.
pub(crate) fn register() {
    describe_counter!(ENTRIES, "Entries appended to the audit log by this process.");
    describe_gauge!(LAST, "Number of the last entry of the audit log.");
    count(0);
    gauge!(LAST, "service" => crate::SERVICE).set(0.0);
}

pub(crate) fn count(entries: u64) {
    counter!(ENTRIES, "service" => crate::SERVICE).increment(entries);
}

/// Keeps the gauge fresh until `shutdown`, whichever instance appends.
pub(crate) async fn watch(pool: PgPool, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Ok(head) = repo::head(&pool).await {
            let last = u32::try_from(head.sequence).unwrap_or(u32::MAX);
            gauge!(LAST, "service" => crate::SERVICE).set(f64::from(last));
        }
    }
}
