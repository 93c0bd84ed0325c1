//! New rows of `transactions`, column by column. Every statement that writes them goes through [`insert_transactions!`].

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::entity::{Party, Transaction};

#[derive(Debug)]
pub(crate) struct Columns<'a> {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) kinds: Vec<&'a str>,
    pub(crate) statuses: Vec<&'a str>,
    pub(crate) amounts: Vec<i64>,
    pub(crate) fees: Vec<i64>,
    pub(crate) currencies: Vec<&'a str>,
    pub(crate) from_wallets: Vec<Option<Uuid>>,
    pub(crate) to_wallets: Vec<Option<Uuid>>,
    pub(crate) from_users: Vec<Option<Uuid>>,
    pub(crate) to_users: Vec<Option<Uuid>>,
    pub(crate) from_names: Vec<Option<&'a str>>,
    pub(crate) to_names: Vec<Option<&'a str>>,
    pub(crate) narrations: Vec<Option<&'a str>>,
    pub(crate) references: Vec<&'a str>,
    pub(crate) correlation_ids: Vec<&'a str>,
    pub(crate) leases: Vec<Option<DateTime<Utc>>>,
    pub(crate) created: Vec<DateTime<Utc>>,
    pub(crate) completed: Vec<Option<DateTime<Utc>>>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(new: &[&'a Transaction]) -> Self {
        let wallet = |party: &Option<Party>| party.as_ref().map(|party| party.wallet.uuid());
        let user = |party: &Option<Party>| party.as_ref().map(|party| party.user.uuid());
        let name = |party: &'a Option<Party>| party.as_ref().and_then(|party| party.name.as_deref());
        Self {
            ids: column(new, |t| t.id.uuid()),
            kinds: column(new, |t| t.kind.name()),
            statuses: column(new, |t| t.status.name()),
            amounts: column(new, |t| t.amount.amount),
            fees: column(new, |t| t.fee.amount),
            currencies: column(new, |t| t.amount.currency.code()),
            from_wallets: column(new, |t| wallet(&t.from)),
            to_wallets: column(new, |t| wallet(&t.to)),
            from_users: column(new, |t| user(&t.from)),
            to_users: column(new, |t| user(&t.to)),
            from_names: column(new, |t| name(&t.from).or(t.outside_name.as_deref())),
            to_names: column(new, |t| name(&t.to)),
            narrations: column(new, |t| t.narration.as_deref()),
            references: column(new, |t| t.reference.as_str()),
            correlation_ids: column(new, |t| t.correlation_id.as_str()),
            leases: column(new, |t| t.leased_until),
            created: column(new, |t| t.created_at),
            completed: column(new, |t| t.completed_at),
        }
    }
}

fn column<'a, T>(rows: &[&'a Transaction], value: impl Fn(&'a Transaction) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

/// `insert_transactions!(before, more, lease, values, after, columns, arguments…)`: a statement that writes new rows and answers with
/// ids, with what stands before and after its `INSERT INTO … SELECT … FROM … AS new`, until when they are leased, and the columns
/// that the statement finds by itself with their values, each behind a comma. The arguments begin at `$19`.
macro_rules! insert_transactions {
    ($before:literal, $more:literal, $lease:literal, $values:literal, $after:literal,
     $columns:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query!(
            $before
                + "INSERT INTO transactions (id, type, status, amount, fee, currency, from_wallet_id, to_wallet_id,
                       from_user_id, to_user_id, from_name, to_name, narration, reference, correlation_id, leased_until,
                       created_at, completed_at"
                + $more
                + ") SELECT new.id, new.type, new.status, new.amount, new.fee, new.currency, new.from_wallet_id,
                       new.to_wallet_id, new.from_user_id, new.to_user_id, new.from_name, new.to_name, new.narration,
                       new.reference, new.correlation_id, "
                + $lease
                + ", new.created_at, new.completed_at"
                + $values
                + " FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[],
                       $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::text[], $12::text[], $13::text[],
                       $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[])
                       AS new (id, type, status, amount, fee, currency, from_wallet_id, to_wallet_id, from_user_id,
                               to_user_id, from_name, to_name, narration, reference, correlation_id, leased_until,
                               created_at, completed_at)"
                + $after,
            &$columns.ids,
            &$columns.kinds as &[&str],
            &$columns.statuses as &[&str],
            &$columns.amounts,
            &$columns.fees,
            &$columns.currencies as &[&str],
            &$columns.from_wallets as &[Option<uuid::Uuid>],
            &$columns.to_wallets as &[Option<uuid::Uuid>],
            &$columns.from_users as &[Option<uuid::Uuid>],
            &$columns.to_users as &[Option<uuid::Uuid>],
            &$columns.from_names as &[Option<&str>],
            &$columns.to_names as &[Option<&str>],
            &$columns.narrations as &[Option<&str>],
            &$columns.references as &[&str],
            &$columns.correlation_ids as &[&str],
            &$columns.leases as &[Option<chrono::DateTime<chrono::Utc>>],
            &$columns.created,
            &$columns.completed as &[Option<chrono::DateTime<chrono::Utc>>],
            $($argument),*
        )
    };
}
pub(crate) use insert_transactions;
