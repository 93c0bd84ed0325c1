//! What hangs together: postings and their entries, holds and their captures, postings and what took them back.

use super::{Found, Snapshot};
use crate::ledger::{AccountId, verify::FIRST};

pub(super) async fn holds_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'account ' || b.account_id AS "subject!",
                  format('%s held, but open holds sum to %s', b.held, COALESCE(open.total, 0)) AS "detail!"
           FROM balances b
           LEFT JOIN (SELECT account_id, sum(amount - captured) AS total
                      FROM holds WHERE status = 'held' AND ($1::uuid IS NULL OR account_id = $1)
                      GROUP BY account_id) open
                  ON open.account_id = b.account_id
           WHERE ($1::uuid IS NULL OR b.account_id = $1) AND b.held <> COALESCE(open.total, 0)
           ORDER BY b.account_id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// A hold has the posting that placed it, what its captures took, and a release only if that ended it.
pub(super) async fn captures_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT subject AS "subject!", detail AS "detail!"
           FROM (SELECT 'hold ' || h.id AS subject,
                        CASE WHEN placed.id IS NULL THEN 'no posting has placed it'
                             WHEN h.captured <> COALESCE(used.captured, 0)
                             THEN format('%s captured, but its captures took %s', h.captured,
                                         COALESCE(used.captured, 0))
                             WHEN COALESCE(used.releases, 0) <> CASE h.status WHEN 'released' THEN 1 ELSE 0 END
                             THEN format('is %s after %s releases', h.status, COALESCE(used.releases, 0))
                             WHEN h.status = 'held' AND h.captured = h.amount THEN 'is open with nothing left'
                        END AS detail
                 FROM holds h
                 LEFT JOIN postings placed ON placed.id = h.id AND placed.type = 'hold' AND placed.outcome = 'posted'
                 LEFT JOIN (SELECT p.hold_id, sum(e.amount) AS captured,
                                   count(*) FILTER (WHERE p.type = 'release') AS releases
                            FROM postings p JOIN holds own ON own.id = p.hold_id
                            LEFT JOIN entries e ON e.posting_id = p.id AND e.account_id = own.account_id
                                                AND e.direction = 'debit'
                            WHERE p.hold_id IS NOT NULL AND ($1::uuid IS NULL OR own.account_id = $1)
                            GROUP BY p.hold_id) used ON used.hold_id = h.id
                 WHERE $1::uuid IS NULL OR h.account_id = $1
                 UNION ALL
                 SELECT 'posting ' || p.id, 'placed a hold that is not there'
                 FROM postings p
                 WHERE $1::uuid IS NULL AND p.type = 'hold' AND p.outcome = 'posted'
                   AND NOT EXISTS (SELECT FROM holds h WHERE h.id = p.id)) found
           WHERE detail IS NOT NULL
           ORDER BY subject LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// Holds and releases move nothing. With an account, these are the postings that have entries on it or concern its holds.
pub(super) async fn outcomes_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT subject AS "subject!", detail AS "detail!"
           FROM (SELECT 'posting ' || p.id AS subject,
                        format('is a %s %s and has %s entries', p.outcome, p.type, COALESCE(known.entries, 0))
                        AS detail
                 FROM postings p
                 LEFT JOIN (SELECT posting_id, count(*) AS entries FROM entries
                            WHERE $1::uuid IS NULL OR account_id = $1 GROUP BY posting_id) known
                        ON known.posting_id = p.id
                 WHERE (p.outcome = 'posted' AND p.type NOT IN ('hold', 'release')) <> (known.posting_id IS NOT NULL)
                   AND ($1::uuid IS NULL
                        OR p.id = ANY (ARRAY(SELECT posting_id FROM entries WHERE account_id = $1
                                             UNION SELECT id FROM holds WHERE account_id = $1
                                             UNION SELECT used.id FROM holds h JOIN postings used ON used.hold_id = h.id
                                             WHERE h.account_id = $1)))
                 UNION ALL
                 SELECT format('account %s, entry %s', e.account_id, e.sequence),
                        format('is of posting %s, which is not there', e.posting_id)
                 FROM entries e
                 WHERE NOT EXISTS (SELECT FROM postings p WHERE p.id = e.posting_id)
                   AND ($1::uuid IS NULL OR e.account_id = $1)) found
           ORDER BY subject LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// What is noted of a posting that was taken back is what it took, and what was given back. More than 64 bits are noted as the
/// most that fits.
pub(super) async fn returns_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"WITH back AS (
               SELECT id, type, takes_back FROM postings
               WHERE takes_back IS NOT NULL
                 AND ($1::uuid IS NULL
                      OR takes_back = ANY (ARRAY(SELECT posting_id FROM entries WHERE account_id = $1)))
           ), given AS (
               SELECT back.takes_back AS posting_id, e.account_id, sum(e.amount) AS total
               FROM back JOIN entries e ON e.posting_id = back.id AND e.direction = 'credit' GROUP BY 1, 2
           ), noted AS (
               SELECT posting_id, account_id, taken, returned FROM posting_returns
               WHERE $1::uuid IS NULL OR posting_id = ANY (ARRAY(SELECT posting_id FROM entries WHERE account_id = $1))
           ), compared AS (
               SELECT posting_id, account_id, COALESCE(noted.taken, 0) AS taken,
                      COALESCE(noted.returned, 0) AS returned, COALESCE(given.total, 0) AS given,
                      (SELECT LEAST(COALESCE(sum(amount), 0), 9223372036854775807) FROM entries took
                       WHERE took.posting_id = COALESCE(noted.posting_id, given.posting_id)
                         AND took.account_id = COALESCE(noted.account_id, given.account_id)
                         AND took.direction = 'debit') AS took
               FROM noted FULL JOIN given USING (posting_id, account_id)
           )
           SELECT subject AS "subject!", detail AS "detail!"
           FROM (SELECT format('posting %s, account %s', posting_id, account_id) AS subject,
                        format('%s taken and %s returned are noted, but it took %s and got %s back', taken, returned,
                               took, given) AS detail
                 FROM compared WHERE returned <> given OR taken <> took
                 UNION ALL
                 SELECT 'posting ' || takes_back,
                        format('is reversed by %s of the %s postings that take it back',
                               count(*) FILTER (WHERE type = 'reversal'), count(*))
                 FROM back GROUP BY takes_back
                 HAVING count(*) > 1 AND count(*) FILTER (WHERE type = 'reversal') > 0) found
           ORDER BY subject LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}
