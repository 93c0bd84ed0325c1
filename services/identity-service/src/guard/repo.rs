//! All SQL about failed sign-ins.

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{Op, PgPool};

use super::{entity::Failures, key::Key};

/// A count as it is stored.
struct Row {
    key: Vec<u8>,
    failures: i32,
    failed_at: DateTime<Utc>,
    blocked_until: DateTime<Utc>,
}

/// The counts of these keys, in their order, as they are at the moment.
pub(crate) async fn read(pool: &PgPool, keys: &[Key], now: DateTime<Utc>) -> sqlx::Result<Vec<Failures>> {
    let wanted: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT key, failures, failed_at, blocked_until FROM sign_in_failures WHERE key = ANY ($1)",
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
        "INSERT INTO sign_in_failures AS known (key, failures, failed_at, blocked_until)
         SELECT wanted.key, 0, $2, $2 FROM UNNEST($1::bytea[]) AS wanted (key) ORDER BY wanted.key
         ON CONFLICT ON CONSTRAINT sign_in_failures_pkey DO UPDATE SET failures = known.failures
         RETURNING key, failures, failed_at, blocked_until",
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
        row.map_or_else(
            || Failures::none(now),
            |row| Failures { count: row.failures, last: row.failed_at, blocked_until: row.blocked_until },
        )
    };
    keys.iter().map(of).collect()
}

pub(crate) async fn write_in_op(op: &mut Op, counted: &[(Key, Failures)]) -> sqlx::Result<()> {
    let keys: Vec<&[u8]> = counted.iter().map(|(key, _)| key.as_slice()).collect();
    let counts: Vec<i32> = counted.iter().map(|(_, failures)| failures.count).collect();
    let last: Vec<DateTime<Utc>> = counted.iter().map(|(_, failures)| failures.last).collect();
    let until: Vec<DateTime<Utc>> = counted.iter().map(|(_, failures)| failures.blocked_until).collect();
    sqlx::query!(
        "UPDATE sign_in_failures AS known
         SET failures = new.failures, failed_at = new.failed_at, blocked_until = new.blocked_until
         FROM UNNEST($1::bytea[], $2::integer[], $3::timestamptz[], $4::timestamptz[])
              AS new (key, failures, failed_at, blocked_until)
         WHERE known.key = new.key",
        &keys as &[&[u8]],
        &counts,
        &last,
        &until,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn is_place(pool: &PgPool, place: &Key) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM sign_in_places WHERE key = $1) AS "exists!""#,
        &place[..],
    )
    .fetch_one(pool)
    .await
}

/// Locks those of the counts that are there, in the order in which an attempt locks them. One that is written meanwhile is none of
/// them: to touch it would be out of that order.
pub(crate) async fn lock_known_in_op(op: &mut Op, keys: &[Key]) -> sqlx::Result<Vec<(Key, Failures)>> {
    let keys: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let locked = sqlx::query!(
        "SELECT key, failures, failed_at, blocked_until FROM sign_in_failures
         WHERE key = ANY ($1) ORDER BY key FOR UPDATE",
        &keys as &[&[u8]],
    )
    .fetch_all(&mut **op)
    .await?;
    let known = locked.into_iter().filter_map(|row| {
        // All keys have the same length, by constraint.
        let key = row.key.as_slice().try_into().ok()?;
        Some((key, Failures { count: row.failures, last: row.failed_at, blocked_until: row.blocked_until }))
    });
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

pub(crate) async fn remember_in_op(op: &mut Op, places: &[Key], now: DateTime<Utc>) -> sqlx::Result<()> {
    let places: Vec<&[u8]> = places.iter().map(Key::as_slice).collect();
    sqlx::query!(
        "INSERT INTO sign_in_places (key, seen_at)
         SELECT seen.key, $2 FROM UNNEST($1::bytea[]) AS seen (key) ORDER BY seen.key
         ON CONFLICT ON CONSTRAINT sign_in_places_pkey DO UPDATE SET seen_at = EXCLUDED.seen_at",
        &places as &[&[u8]],
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
