//! All SQL about failed sign-ins.

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;

use super::{failures::Failures, key::Key};

/// A count as it is stored.
struct Row {
    key: Vec<u8>,
    failures: i32,
    accounts: i32,
    /// Not there in rows of the release before.
    began_at: Option<DateTime<Utc>>,
    failed_at: DateTime<Utc>,
    blocked_until: DateTime<Utc>,
    turn_at: Option<DateTime<Utc>>,
}

impl From<&Row> for Failures {
    fn from(row: &Row) -> Self {
        Self {
            count: row.failures,
            accounts: row.accounts,
            since: row.began_at.unwrap_or(row.failed_at),
            last: row.failed_at,
            blocked_until: row.blocked_until,
            turn_at: row.turn_at,
        }
    }
}

/// The counts of these keys, in their order, as they are at the moment.
pub(crate) async fn read(pool: &PgPool, keys: &[Key], now: DateTime<Utc>) -> sqlx::Result<Vec<Failures>> {
    let wanted: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT key, failures, accounts, began_at, failed_at, blocked_until, turn_at FROM sign_in_failures
         WHERE key = ANY ($1)",
        &wanted as &[&[u8]],
    )
    .fetch_all(pool)
    .await?;
    Ok(in_order(keys, &rows, now))
}

/// The counts of these keys, in their order, locked: two attempts at one moment follow one another.
pub(crate) async fn lock_in_op(op: &mut Op, keys: &[Key], now: DateTime<Utc>) -> sqlx::Result<Vec<Failures>> {
    let wanted: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let rows = sqlx::query_as!(
        Row,
        "INSERT INTO sign_in_failures AS known (key, failures, began_at, failed_at, blocked_until)
         SELECT wanted.key, 0, $2, $2, $2 FROM UNNEST($1::bytea[]) AS wanted (key) ORDER BY wanted.key
         ON CONFLICT ON CONSTRAINT sign_in_failures_pkey DO UPDATE SET failures = known.failures
         RETURNING key, failures, accounts, began_at, failed_at, blocked_until, turn_at",
        &wanted as &[&[u8]],
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(in_order(keys, &rows, now))
}

fn in_order(keys: &[Key], rows: &[Row], now: DateTime<Utc>) -> Vec<Failures> {
    let of = |key: &Key| {
        let row = rows.iter().find(|row| row.key == key);
        row.map_or_else(|| Failures::none(now), Failures::from)
    };
    keys.iter().map(of).collect()
}

pub(crate) async fn write_in_op(op: &mut Op, counted: &[(Key, Failures)]) -> sqlx::Result<()> {
    let keys: Vec<&[u8]> = counted.iter().map(|(key, _)| key.as_slice()).collect();
    let counts: Vec<i32> = counted.iter().map(|(_, failures)| failures.count).collect();
    let accounts: Vec<i32> = counted.iter().map(|(_, failures)| failures.accounts).collect();
    let since: Vec<DateTime<Utc>> = counted.iter().map(|(_, failures)| failures.since).collect();
    let last: Vec<DateTime<Utc>> = counted.iter().map(|(_, failures)| failures.last).collect();
    let until: Vec<DateTime<Utc>> = counted.iter().map(|(_, failures)| failures.blocked_until).collect();
    let turns: Vec<Option<DateTime<Utc>>> = counted.iter().map(|(_, failures)| failures.turn_at).collect();
    sqlx::query!(
        "UPDATE sign_in_failures AS known
         SET failures = new.failures, accounts = new.accounts, began_at = new.began_at, failed_at = new.failed_at,
             blocked_until = new.blocked_until, turn_at = new.turn_at
         FROM UNNEST($1::bytea[], $2::integer[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[])
              AS new (key, failures, accounts, began_at, failed_at, blocked_until, turn_at)
         WHERE known.key = new.key",
        &keys as &[&[u8]],
        &counts,
        &accounts,
        &since,
        &last,
        &until,
        &turns as &[Option<DateTime<Utc>>],
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Whether the owner has signed in there. A place of the release before is keyed by what was typed, and counts for who had the account
/// already: who had the address before them may have left it.
pub(crate) async fn is_place(
    pool: &PgPool,
    place: &Key,
    of_before: &Key,
    owner: Option<UserId>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM sign_in_places
               WHERE key = $1 OR (key = $2 AND seen_at >= (SELECT created_at FROM users WHERE id = $3))
           ) AS "exists!""#,
        &place[..],
        &of_before[..],
        owner.map(UserId::uuid),
    )
    .fetch_one(pool)
    .await
}

/// Notes something that happens once until then; false where it was noted before.
pub(crate) async fn note_in_op(
    op: &mut Op,
    note: &Key,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "INSERT INTO sign_in_failures AS known (key, failures, began_at, failed_at, blocked_until)
         VALUES ($1, 0, $2, $2, $3)
         ON CONFLICT ON CONSTRAINT sign_in_failures_pkey DO UPDATE SET failed_at = $2, blocked_until = $3
         WHERE known.blocked_until <= $2",
        &note[..],
        now,
        until,
    )
    .execute(&mut **op)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Locks those of the counts that are there, in the order in which an attempt locks them. One that is written meanwhile is none of
/// them: to touch it would be out of that order.
pub(crate) async fn lock_known_in_op(op: &mut Op, keys: &[Key]) -> sqlx::Result<Vec<(Key, Failures)>> {
    let keys: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let locked = sqlx::query_as!(
        Row,
        "SELECT key, failures, accounts, began_at, failed_at, blocked_until, turn_at FROM sign_in_failures
         WHERE key = ANY ($1) ORDER BY key FOR UPDATE",
        &keys as &[&[u8]],
    )
    .fetch_all(&mut **op)
    .await?;
    // All keys have the same length, by constraint.
    let known =
        locked.iter().filter_map(|row| Some((row.key.as_slice().try_into().ok()?, Failures::from(row))));
    Ok(known.collect())
}

/// Forgets counts that are locked.
pub(crate) async fn forget_in_op(op: &mut Op, counts: &[Key]) -> sqlx::Result<()> {
    let counts: Vec<&[u8]> = counts.iter().map(Key::as_slice).collect();
    sqlx::query!("DELETE FROM sign_in_failures WHERE key = ANY ($1)", &counts as &[&[u8]])
        .execute(&mut **op)
        .await?;
    Ok(())
}

pub(crate) async fn remember_in_op(op: &mut Op, place: &Key, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sign_in_places (key, seen_at) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT sign_in_places_pkey DO UPDATE SET seen_at = EXCLUDED.seen_at",
        &place[..],
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Forgets up to `limit` counts and places that mean nothing any more.
pub(crate) async fn forget(
    pool: &PgPool,
    now: DateTime<Utc>,
    counts: TimeDelta,
    places: TimeDelta,
    limit: i64,
) -> sqlx::Result<u64> {
    let counts = sqlx::query!(
        "DELETE FROM sign_in_failures WHERE key IN (
             SELECT key FROM sign_in_failures WHERE failed_at < $1 AND blocked_until < $2
             ORDER BY failed_at LIMIT $3 FOR UPDATE SKIP LOCKED
         )",
        now - counts,
        now,
        limit,
    )
    .execute(pool)
    .await?;
    let places = sqlx::query!(
        "DELETE FROM sign_in_places WHERE key IN (
             SELECT key FROM sign_in_places WHERE seen_at < $1 ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )",
        now - places,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(counts.rows_affected().max(places.rows_affected()))
}
