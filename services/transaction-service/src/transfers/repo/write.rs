//! Transfers as they begin and as they end, with keys and events: one statement, whatever their number.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use common_db::idempotency::{ClaimColumns, NewClaim};
use common_events::{NewEvent, outbox};
use common_utils::ids::TransactionId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    transactions::{
        Failure, LimitName, OverLimit, Status, Transaction,
        columns::{Columns, insert_transactions},
    },
    transfers::outflow::{Counted, Figures},
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

/// The ends of a batch as `settle_transfers` takes them.
#[derive(Debug)]
struct EndColumns<'a> {
    ids: Vec<Uuid>,
    statuses: Vec<&'a str>,
    codes: Vec<Option<&'a str>>,
    messages: Vec<Option<&'a str>>,
    times: Vec<Option<DateTime<Utc>>>,
    /// Of the ids, those that fail: what they were counted in is locked with what begins.
    failing: Vec<Uuid>,
}

impl<'a> EndColumns<'a> {
    fn of(ends: &'a [Settlement]) -> Self {
        let word = |pick: fn(&'a Failure) -> &'a str| {
            ends.iter().map(|end| end.failure.as_ref().map(pick)).collect()
        };
        let failing = ends.iter().filter(|end| end.status == Status::Failed);
        Self {
            ids: ends.iter().map(|end| end.id.uuid()).collect(),
            statuses: ends.iter().map(|end| end.status.name()).collect(),
            codes: word(|failure| &failure.code),
            messages: word(|failure| &failure.message),
            times: ends.iter().map(|end| end.completed_at).collect(),
            failing: failing.map(|end| end.id.uuid()).collect(),
        }
    }
}

/// Transfers that begin, the keys that they claim and where they count, in one order.
#[derive(Debug)]
pub(in crate::transfers) struct Begun<'a> {
    pub(in crate::transfers) claims: Vec<NewClaim<'a>>,
    pub(in crate::transfers) transfers: Vec<&'a Transaction>,
    pub(in crate::transfers) counted: Vec<Counted>,
    pub(in crate::transfers) figures: &'a Figures,
    /// What was bound after this is a new device.
    pub(in crate::transfers) new_since: Option<DateTime<Utc>>,
}

/// What was written of it.
#[derive(Debug)]
pub(in crate::transfers) struct Written {
    /// Whose keys were new.
    pub(in crate::transfers) begun: HashSet<Uuid>,
    /// Of these, what would pass a limit. They have begun only to fail.
    pub(in crate::transfers) over_limit: HashMap<Uuid, OverLimit>,
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
    let ends = EndColumns::of(ends);
    let days: Vec<Option<DateTime<Utc>>> = begun.counted.iter().map(|counted| counted.day).collect();
    let devices: Vec<Option<DateTime<Utc>>> = begun.counted.iter().map(|counted| counted.device).collect();
    let written = insert_transactions!(
        "WITH fresh AS MATERIALIZED (
             SELECT * FROM claim_transfers($19, $20, $21, $22, $23, $9, $10, $4, $36, $37, $38, $39, $40, $41, $42, $43)
         ), begun AS (",
        ", outflow_day, outflow_device, over_limit, over_limit_most, over_limit_left",
        // For ever, where a limit refuses it: see `transactions_over_limit_never_taken`.
        "CASE WHEN fresh.over_limit IS NULL THEN new.leased_until ELSE '9999-12-31T00:00:00Z' END",
        ", fresh.outflow_day, fresh.outflow_device, fresh.over_limit, fresh.over_limit_most, fresh.over_limit_left",
        r#" JOIN fresh USING (id)
         ), ended AS MATERIALIZED (
             -- After the claims, whose locks come first.
             SELECT ended.id FROM (SELECT count(*) AS begun FROM fresh) AS claims
             CROSS JOIN LATERAL settle_transfers(CASE WHEN claims.begun >= 0 THEN $24::uuid[] END, $25, $26, $27, $28)
                                AS ended (id)
         ), over AS MATERIALIZED (
             SELECT ARRAY_AGG(id) AS ids, ARRAY_AGG(over_limit) AS limits, ARRAY_AGG(over_limit_most) AS most,
                    ARRAY_AGG(over_limit_left) AS rest
             FROM fresh WHERE over_limit IS NOT NULL
         )
         SELECT (SELECT ARRAY_AGG(id) FROM fresh) AS begun,
                (SELECT ARRAY_AGG(id) FROM ended) AS ended,
                (SELECT ids FROM over) AS over_ids, (SELECT limits FROM over) AS over_limits,
                (SELECT most FROM over) AS over_most, (SELECT rest FROM over) AS over_left,
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
        &ends.ids,
        &ends.statuses as &[&str],
        &ends.codes as &[Option<&str>],
        &ends.messages as &[Option<&str>],
        &ends.times as &[Option<DateTime<Utc>>],
        events.topic,
        &about,
        &events.ids,
        &events.keys as &[&str],
        &events.types as &[&str],
        &events.payloads as &[&str],
        events.created_at,
        &days as &[Option<DateTime<Utc>>],
        &devices as &[Option<DateTime<Utc>>],
        begun.figures.currency.code(),
        &begun.figures.daily as &[Option<i64>],
        begun.figures.new_device,
        begun.new_since,
        begun.figures.ceiling_refusals,
        &ends.failing,
    );
    let written = written.fetch_one(connection).await?;
    let over_limit = over_limits(
        written.over_ids.unwrap_or_default(),
        &written.over_limits.unwrap_or_default(),
        written.over_most.unwrap_or_default(),
        written.over_left.unwrap_or_default(),
    )?;
    Ok(Written {
        begun: written.begun.unwrap_or_default().into_iter().collect(),
        over_limit,
        ended: written.ended.unwrap_or_default().into_iter().map(TransactionId::from).collect(),
    })
}

fn over_limits(
    ids: Vec<Uuid>,
    limits: &[String],
    most: Vec<i64>,
    left: Vec<i64>,
) -> sqlx::Result<HashMap<Uuid, OverLimit>> {
    let one = |((id, limit), (most, left)): ((Uuid, &String), (i64, i64))| {
        let limit = LimitName::named(limit)
            .ok_or_else(|| sqlx::Error::Decode(format!("the limit {limit} is not known").into()))?;
        Ok((id, OverLimit { limit, most, left }))
    };
    ids.into_iter().zip(limits).zip(most.into_iter().zip(left)).map(one).collect()
}
