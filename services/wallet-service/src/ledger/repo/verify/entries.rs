//! What follows from entries alone.

use super::{Found, Snapshot};
use crate::ledger::{AccountId, verify::FIRST};

pub(super) async fn balances_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'account ' || a.id AS "subject!",
                  format('balance %s after %s entries, but entries sum to %s and are %s',
                         COALESCE(b.posted::text, 'missing'), COALESCE(b.entries::text, 'no'), e.total, e.entries)
                  AS "detail!"
           FROM accounts a
           LEFT JOIN balances b ON b.account_id = a.id
           LEFT JOIN (SELECT account_id, count(*) AS entries,
                             sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END) AS total
                      FROM entries WHERE $1::uuid IS NULL OR account_id = $1 GROUP BY account_id) known
                  ON known.account_id = a.id
           CROSS JOIN LATERAL (SELECT COALESCE(known.entries, 0) AS entries, COALESCE(known.total, 0) AS total) e
           WHERE ($1::uuid IS NULL OR a.id = $1)
             AND (b.posted IS DISTINCT FROM e.total OR b.entries IS DISTINCT FROM e.entries)
           ORDER BY a.id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

pub(super) async fn chain_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT format('account %s, entry %s', account_id, sequence) AS "subject!",
                  format('follows entry %s with balance %s, and says %s %s makes %s',
                         before, balance_before, direction, amount, balance_after) AS "detail!"
           FROM (SELECT account_id, sequence, direction, amount, balance_after,
                        lag(sequence, 1, 0::bigint) OVER own AS before,
                        lag(balance_after, 1, 0::bigint) OVER own AS balance_before
                 FROM entries WHERE $1::uuid IS NULL OR account_id = $1
                 WINDOW own AS (PARTITION BY account_id ORDER BY sequence)) chain
           WHERE sequence <> before + 1
              OR balance_after <> balance_before::numeric
                                  + CASE direction WHEN 'credit' THEN amount ELSE -amount END
           ORDER BY account_id, sequence LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

pub(super) async fn times_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT format('account %s, entry %s', account_id, sequence) AS "subject!",
                  format('of %s follows one of %s', posted_at, before) AS "detail!"
           FROM (SELECT account_id, sequence, posted_at,
                        lag(posted_at) OVER (PARTITION BY account_id ORDER BY sequence) AS before
                 FROM entries WHERE $1::uuid IS NULL OR account_id = $1) chain
           WHERE posted_at < before
           ORDER BY account_id, sequence LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

pub(super) async fn postings_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'posting ' || posting_id AS "subject!",
                  format('credits less debits are %s %s', sum(signed), currency) AS "detail!"
           FROM (SELECT e.posting_id, a.currency,
                        CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END AS signed
                 FROM entries e JOIN accounts a ON a.id = e.account_id
                 WHERE $1::uuid IS NULL
                    OR e.posting_id = ANY (ARRAY(SELECT posting_id FROM entries WHERE account_id = $1))) sides
           GROUP BY posting_id, currency HAVING sum(signed) <> 0
           ORDER BY posting_id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}
