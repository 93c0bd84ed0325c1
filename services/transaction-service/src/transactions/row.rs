//! A row of `transactions` and the entity that it holds. Every query that reads whole transactions goes through
//! [`query_transactions!`], so that their columns are named in one place.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::{TransactionId, UserId, WalletId},
    money::Money,
};
use uuid::Uuid;

use super::entity::{Failure, LimitName, OverLimit, Party, Status, Transaction, TransactionType};

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) currency: String,
    pub(crate) from_wallet_id: Option<Uuid>,
    pub(crate) to_wallet_id: Option<Uuid>,
    pub(crate) from_user_id: Option<Uuid>,
    pub(crate) to_user_id: Option<Uuid>,
    pub(crate) from_name: Option<String>,
    pub(crate) to_name: Option<String>,
    pub(crate) narration: Option<String>,
    pub(crate) reference: String,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) over_limit: Option<String>,
    pub(crate) over_limit_most: Option<i64>,
    pub(crate) over_limit_left: Option<i64>,
    pub(crate) correlation_id: String,
    pub(crate) leased_until: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
}

/// `query_transactions!(before, after, arguments…)`: a query for whole transactions, with what stands before
/// `SELECT` and after its columns.
macro_rules! query_transactions {
    ($before:literal, $after:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::transactions::row::Row,
            $before
                + r#" SELECT t.id AS "id!", t.type AS "kind!", t.status AS "status!", t.amount AS "amount!",
                    t.fee AS "fee!", t.currency AS "currency!", t.from_wallet_id, t.to_wallet_id, t.from_user_id,
                    t.to_user_id, t.from_name, t.to_name, t.narration, t.reference AS "reference!", t.failure_code,
                    t.failure_message, t.over_limit, t.over_limit_most, t.over_limit_left, t.correlation_id AS "correlation_id!", t.leased_until,
                    t.created_at AS "created_at!", t.completed_at "#
                + $after
            $(, $argument)*
        )
    };
}
pub(crate) use query_transactions;

/// A row that only this code writes does not read as it was written.
#[derive(Debug, thiserror::Error)]
#[error("transaction {0} has a {1} that is not known")]
struct Unreadable(Uuid, &'static str);

impl TryFrom<Row> for Transaction {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let id = row.id;
        let unreadable = |what| sqlx::Error::Decode(Box::new(Unreadable(id, what)));
        let currency = row.currency.parse().map_err(|_| unreadable("currency"))?;
        let limit = row.over_limit.map(|name| LimitName::named(&name).ok_or_else(|| unreadable("limit")));
        let figures = row.over_limit_most.zip(row.over_limit_left);
        let from = party(row.from_wallet_id, row.from_user_id, row.from_name.as_ref());
        Ok(Self {
            id: TransactionId::from(id),
            kind: TransactionType::named(&row.kind).ok_or_else(|| unreadable("type"))?,
            status: Status::named(&row.status).ok_or_else(|| unreadable("status"))?,
            amount: Money::new(row.amount, currency),
            fee: Money::new(row.fee, currency),
            outside_name: if from.is_none() { row.from_name } else { None },
            from,
            to: party(row.to_wallet_id, row.to_user_id, row.to_name.as_ref()),
            narration: row.narration,
            reference: row.reference,
            failure: row
                .failure_code
                .zip(row.failure_message)
                .map(|(code, message)| Failure { code, message }),
            over_limit: limit.transpose()?.zip(figures).map(|(limit, (most, left))| OverLimit {
                limit,
                most,
                left,
            }),
            correlation_id: row.correlation_id,
            traceparent: None,
            api_key: None,
            leased_until: row.leased_until,
            created_at: row.created_at,
            completed_at: row.completed_at,
        })
    }
}

fn party(wallet: Option<Uuid>, user: Option<Uuid>, name: Option<&String>) -> Option<Party> {
    let (wallet, user) = wallet.zip(user)?;
    Some(Party { wallet: WalletId::from(wallet), user: UserId::from(user), name: name.cloned() })
}

/// All rows, or the first that cannot be read.
pub(crate) fn read(rows: Vec<Row>) -> sqlx::Result<Vec<Transaction>> {
    rows.into_iter().map(Transaction::try_from).collect()
}
