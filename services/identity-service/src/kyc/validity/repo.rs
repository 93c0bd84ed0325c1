//! All SQL about the dates of tiers.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

use super::super::{cases::entity::Case, policy::ValidityDates};

/// None for the dates: the tier is never verified anew.
pub(crate) async fn upsert_in_op(
    op: &mut Op,
    case: &Case,
    tier: i16,
    dates: Option<ValidityDates>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO kyc_validity (user_id, tier, case_id, verified_at, remind_at, valid_until, lapses_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT kyc_validity_pkey DO UPDATE
         SET case_id = $3, verified_at = $4, remind_at = $5, valid_until = $6, lapses_at = $7, reminded_at = NULL",
        case.user.uuid(),
        tier,
        case.id.uuid(),
        now,
        dates.map(|dates| dates.remind_at),
        dates.map(|dates| dates.valid_until),
        dates.map(|dates| dates.lapses_at),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Whether the person may verify the tier anew.
pub(crate) async fn is_due(
    db: impl PgExecutor<'_>,
    user: UserId,
    tier: i16,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM kyc_validity WHERE user_id = $1 AND tier = $2 AND remind_at <= $3) AS "due!""#,
        user.uuid(),
        tier,
        now,
    )
    .fetch_one(db)
    .await
}

/// Until when the person's tier holds, if it has a date.
pub(crate) async fn valid_until(
    db: impl PgExecutor<'_>,
    user: UserId,
    tier: i16,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let date = sqlx::query_scalar!(
        "SELECT valid_until FROM kyc_validity WHERE user_id = $1 AND tier = $2",
        user.uuid(),
        tier,
    )
    .fetch_optional(db)
    .await?;
    Ok(date.flatten())
}

pub(super) async fn to_remind(
    db: impl PgExecutor<'_>,
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(UserId, i16)>> {
    let rows = sqlx::query!(
        "SELECT user_id, tier FROM kyc_validity WHERE reminded_at IS NULL AND remind_at <= $2 ORDER BY remind_at LIMIT $1",
        at_most,
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.user_id.into(), row.tier)).collect())
}

/// Until when the tier holds. None: somebody else has reminded, or it is not due any more.
pub(super) async fn note_reminder_in_op(
    op: &mut Op,
    user: UserId,
    tier: i16,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let until = sqlx::query_scalar!(
        "UPDATE kyc_validity SET reminded_at = $3
         WHERE user_id = $1 AND tier = $2 AND reminded_at IS NULL AND remind_at <= $3
         RETURNING valid_until",
        user.uuid(),
        tier,
        now,
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(until.flatten())
}

pub(super) async fn lapsed(
    db: impl PgExecutor<'_>,
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT user_id FROM kyc_validity WHERE lapses_at <= $2 LIMIT $1",
        at_most,
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

pub(super) async fn delete_lapsed_in_op(op: &mut Op, user: UserId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM kyc_validity WHERE user_id = $1 AND lapses_at <= $2", user.uuid(), now)
        .execute(&mut **op)
        .await?;
    Ok(())
}

pub(super) async fn highest_in_op(op: &mut Op, user: UserId) -> sqlx::Result<Option<i16>> {
    sqlx::query_scalar!("SELECT max(tier) FROM kyc_validity WHERE user_id = $1", user.uuid())
        .fetch_one(&mut **op)
        .await
}
