//! Transfers as they begin and as they end, with keys and events: one statement, whatever their number.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use common_db::idempotency::{ClaimColumns, NewClaim};
use common_events::{NewEvent, outbox};
use common_utils::ids::TransactionId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::transactions::{
    Failure, Status, Transaction,
    columns::{Columns, insert_transactions},
};

/// How a transfer ends.
#[derive(Debug)]
pub(in crate::transfers) struct Settlement {
    pub(in crate::transfers) id: TransactionId,
    pub(in crate::transfers) status: Status,
    pub(in crate::transfers) failure: Option<Failure>,
    pub(in crate::transfers) completed_at: Option<DateTime<Utc>>,
}

impl Settlement {
    /// The transfer as the database has it after this.
    pub(in crate::transfers) fn applied_to(&self, transfer: &Transaction) -> Transaction {
        Transaction {
            status: self.status,
            failure: self.failure.clone(),
            completed_at: self.completed_at,
            leased_until: None,
            ..transfer.clone()
        }
    }
}

/// Transfers that begin, and the keys that they claim, in one order.
#[derive(Debug)]
pub(in crate::transfers) struct Begun<'a> {
    pub(in crate::transfers) claims: Vec<NewClaim<'a>>,
    pub(in crate::transfers) transfers: Vec<&'a Transaction>,
}

/// What was written of it.
#[derive(Debug)]
pub(in crate::transfers) struct Written {
    /// Whose keys were new.
    pub(in crate::transfers) begun: HashSet<Uuid>,
    /// Who was still initiated.
    pub(in crate::transfers) ended: HashSet<TransactionId>,
}

/// Writes the transfers whose keys are new, ends those that are still initiated, and adds the events of both, each with the
/// transfer that it is of. The ends are in id order, so that two who end the same transfers do not wait in a circle.
pub(in crate::transfers) async fn write(
    connection: &mut PgConnection,
    begun: &Begun<'_>,
    ends: &[Settlement],
    told: &[(TransactionId, NewEvent)],
    now: DateTime<Utc>,
) -> sqlx::Result<Written> {
    let about: Vec<Uuid> = told.iter().map(|(transfer, _)| transfer.uuid()).collect();
    let events = outbox::Row::of(told.iter().map(|(_, event)| event));
    let columns = Columns::of(&begun.transfers);
    let claims = ClaimColumns::of(&begun.claims);
    let ids: Vec<Uuid> = ends.iter().map(|end| end.id.uuid()).collect();
    let statuses: Vec<&str> = ends.iter().map(|end| end.status.name()).collect();
    let word = |pick: fn(&Failure) -> &str| -> Vec<Option<&str>> {
        ends.iter().map(|end| end.failure.as_ref().map(pick)).collect()
    };
    let (codes, messages) = (word(|failure| &failure.code), word(|failure| &failure.message));
    let times: Vec<Option<DateTime<Utc>>> = ends.iter().map(|end| end.completed_at).collect();
    let written = insert_transactions!(
        "WITH fresh AS MATERIALIZED (
             SELECT * FROM idempotency_claim($19, $20, $21, $22, $23) AS claimed (id)
         ), begun AS (",
        r#" JOIN fresh USING (id)
         ), ended AS MATERIALIZED (
             SELECT * FROM settle_transfers($24, $25, $26, $27, $28) AS ended (id)
         )
         SELECT (SELECT ARRAY_AGG(id) FROM fresh) AS begun,
                (SELECT ARRAY_AGG(id) FROM ended) AS ended,
                outbox_add($29, ARRAY_AGG(told.event_id), ARRAY_AGG(told.key), ARRAY_AGG(told.type),
                           ARRAY_AGG(told.payload), $35) AS "added?"
         FROM (
             SELECT event.event_id, event.key, event.type, event.payload
             FROM UNNEST($30::uuid[], $31::uuid[], $32::text[], $33::text[], $34::text[]) WITH ORDINALITY
                  AS event (id, event_id, key, type, payload, place)
             JOIN (SELECT id FROM fresh UNION ALL SELECT id FROM ended) AS happened USING (id)
             ORDER BY event.place
         ) AS told"#,
        columns,
        &claims.callers as &[&str],
        &claims.keys as &[&str],
        &claims.hashes as &[&[u8]],
        &claims.resources,
        now,
        &ids,
        &statuses as &[&str],
        &codes as &[Option<&str>],
        &messages as &[Option<&str>],
        &times as &[Option<DateTime<Utc>>],
        events.topic,
        &about,
        &events.ids,
        &events.keys as &[&str],
        &events.types as &[&str],
        &events.payloads as &[&str],
        events.created_at,
    );
    let written = written.fetch_one(connection).await?;
    Ok(Written {
        begun: written.begun.unwrap_or_default().into_iter().collect(),
        ended: written.ended.unwrap_or_default().into_iter().map(TransactionId::from).collect(),
    })
}
