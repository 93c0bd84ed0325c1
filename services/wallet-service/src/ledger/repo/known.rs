//! What is known of the postings and holds that a list brings or names: one statement each, whatever their number, and none
//! where there is nothing to ask.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::TransactionId;
use uuid::Uuid;

use crate::ledger::{
    Account, AccountId, Action, Direction, LedgerError, Outcome, Posting, Refusal,
    batch::{Known, takes_back},
    book::{Earlier, Step},
    hold::Hold,
};

/// Holds and earlier postings that a list names.
#[derive(Debug, Default)]
pub(in crate::ledger) struct References {
    holds: Vec<Uuid>,
    postings: Vec<Uuid>,
}

impl References {
    pub(in crate::ledger) fn of(postings: &[Posting]) -> Self {
        let mut named = Self::default();
        for action in postings.iter().map(Posting::action) {
            if let Action::Capture { hold, .. } | Action::Release { hold } = action {
                named.holds.push(hold.uuid());
            }
            named.postings.extend(takes_back(action).map(TransactionId::uuid));
        }
        named
    }

    pub(in crate::ledger) fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.postings.is_empty()
    }
}

/// The accounts that they lead to, which never change.
pub(in crate::ledger) async fn accounts_of_in_op(
    op: &mut Op,
    named: &References,
) -> Result<Vec<AccountId>, LedgerError> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let ids = sqlx::query_scalar!(
        r#"SELECT account_id AS "account_id!" FROM holds WHERE id = ANY($1)
           UNION SELECT account_id FROM entries WHERE posting_id = ANY($2)"#,
        &named.holds,
        &named.postings,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(ids.into_iter().map(AccountId::from).collect())
}

/// Which of the postings were decided before, and how.
pub(in crate::ledger) async fn known_in_op(
    op: &mut Op,
    postings: &[Posting],
) -> Result<HashMap<TransactionId, Known>, LedgerError> {
    let ids: Vec<Uuid> = postings.iter().map(|posting| posting.id().uuid()).collect();
    let rows =
        sqlx::query!("SELECT id, content_hash, refusal, posted_at FROM postings WHERE id = ANY($1)", &ids,)
            .fetch_all(&mut **op)
            .await?;
    let read = rows.into_iter().map(|row| {
        let refusal = row.refusal.map(serde_json::from_value::<Refusal>).transpose();
        let outcome =
            refusal.map_err(|error| LedgerError::corrupt(&error))?.map_or(Outcome::Posted, Outcome::Refused);
        Ok((row.id.into(), Known { content_hash: row.content_hash, outcome, posted_at: row.posted_at }))
    });
    read.collect()
}

/// The holds that are named, and of the locked accounts those whose time is over.
pub(in crate::ledger) async fn holds_in_op(
    op: &mut Op,
    named: &References,
    accounts: &[Account],
    now: DateTime<Utc>,
) -> Result<Vec<Hold>, LedgerError> {
    let holding = accounts.iter().filter(|account| account.standing.held > 0);
    let holding: Vec<Uuid> = holding.map(|account| account.id.uuid()).collect();
    if named.holds.is_empty() && holding.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", account_id AS "account_id!", amount AS "amount!", captured AS "captured!",
                  status AS "status!", expires_at AS "expires_at!", created_at AS "created_at!", closed_at
           FROM holds WHERE id = ANY($1)
           UNION SELECT id, account_id, amount, captured, status, expires_at, created_at, closed_at
           FROM holds WHERE account_id = ANY($2) AND status = 'held' AND expires_at <= $3"#,
        &named.holds,
        &holding,
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    let read = rows.into_iter().map(|row| {
        Ok(Hold {
            id: row.id.into(),
            account: row.account_id.into(),
            amount: row.amount,
            captured: row.captured,
            status: row.status.parse().map_err(|error| LedgerError::corrupt(&error))?,
            expires_at: row.expires_at,
            created_at: row.created_at,
            closed_at: row.closed_at,
        })
    });
    read.collect()
}

/// The postings that are to be taken back, as far as they moved money, with what has gone back of each.
pub(in crate::ledger) async fn earlier_in_op(
    op: &mut Op,
    named: &References,
) -> Result<HashMap<TransactionId, Earlier>, LedgerError> {
    let mut earlier: HashMap<TransactionId, Earlier> = HashMap::new();
    if named.postings.is_empty() {
        return Ok(earlier);
    }
    let rows = sqlx::query!(
        "SELECT e.posting_id, p.takes_back, e.account_id, e.direction, e.amount
         FROM entries e JOIN postings p ON p.id = e.posting_id
         WHERE e.posting_id = ANY($1) ORDER BY e.id",
        &named.postings,
    )
    .fetch_all(&mut **op)
    .await?;
    for row in rows {
        let direction = match row.direction.as_str() {
            "debit" => Direction::Debit,
            "credit" => Direction::Credit,
            other => return Err(LedgerError::corrupt(&other)),
        };
        let posting = earlier.entry(row.posting_id.into()).or_default();
        posting.is_return = row.takes_back.is_some();
        posting.steps.push(Step { account: row.account_id.into(), direction, amount: row.amount });
    }
    for (posting, returned) in returned_in_op(op, &named.postings).await? {
        if let Some(posting) = earlier.get_mut(&posting) {
            posting.returned = returned;
        }
    }
    Ok(earlier)
}

async fn returned_in_op(
    op: &mut Op,
    postings: &[Uuid],
) -> sqlx::Result<HashMap<TransactionId, BTreeMap<AccountId, i64>>> {
    let rows = sqlx::query!(
        "SELECT posting_id, account_id, returned FROM posting_returns WHERE posting_id = ANY($1)",
        postings,
    )
    .fetch_all(&mut **op)
    .await?;
    let mut returned: HashMap<TransactionId, BTreeMap<AccountId, i64>> = HashMap::new();
    for row in rows {
        returned.entry(row.posting_id.into()).or_default().insert(row.account_id.into(), row.returned);
    }
    Ok(returned)
}
