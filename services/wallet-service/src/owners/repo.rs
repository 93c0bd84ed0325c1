//! All SQL of owners.

use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use uuid::Uuid;

use super::entity::{Governed, TIER_UNKNOWN, Told};

/// Whoever opens wallets for these people, or moves their tiers, waits here until this transaction ends. All who take several
/// locks take them in one order.
pub(crate) async fn lock_in_op(op: &mut Op, users: &[UserId]) -> sqlx::Result<()> {
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(1, place)
         FROM (SELECT DISTINCT hashtext(id) AS place FROM UNNEST($1::text[]) AS users (id) ORDER BY 1) AS places",
        &users,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn tier_in_op(op: &mut Op, user: UserId) -> sqlx::Result<i16> {
    let tier = sqlx::query_scalar!("SELECT tier FROM wallet_owners WHERE user_id = $1", user.uuid())
        .fetch_optional(&mut **op)
        .await?;
    Ok(tier.unwrap_or(TIER_UNKNOWN))
}

/// Writes what is newer than what is known; gives those whose tier is another one now. Each person is told of once, and their lock
/// is held: so what this statement reads of them is what it replaces.
pub(super) async fn upsert_in_op(op: &mut Op, told: &[Told]) -> sqlx::Result<Vec<UserId>> {
    let users: Vec<Uuid> = told.iter().map(|told| told.user.uuid()).collect();
    let tiers: Vec<i16> = told.iter().map(|told| told.tier).collect();
    let (times, events): (Vec<_>, Vec<Uuid>) = told.iter().map(|told| told.version).unzip();
    let moved = sqlx::query_scalar!(
        r#"WITH before AS (
             SELECT user_id, tier FROM wallet_owners WHERE user_id = ANY ($1::uuid[])
         ), written AS (
             INSERT INTO wallet_owners (user_id, tier, changed_at, event_id)
             SELECT * FROM UNNEST($1::uuid[], $2::smallint[], $3::timestamptz[], $4::uuid[])
             ON CONFLICT ON CONSTRAINT wallet_owners_pkey DO UPDATE
             SET tier = EXCLUDED.tier, changed_at = EXCLUDED.changed_at, event_id = EXCLUDED.event_id
             WHERE (wallet_owners.changed_at, wallet_owners.event_id) < (EXCLUDED.changed_at, EXCLUDED.event_id)
             RETURNING user_id, tier
         )
         SELECT written.user_id AS "user_id!" FROM written LEFT JOIN before USING (user_id)
         WHERE written.tier IS DISTINCT FROM before.tier"#,
        &users,
        &tiers,
        &times,
        &events,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(moved.into_iter().map(UserId::from).collect())
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    currency: String,
    tier: i16,
    intake_ceiling: Option<i64>,
}

impl TryFrom<Row> for Governed {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            user: row.user_id.into(),
            currency: row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            tier: row.tier,
            intake_ceiling: row.intake_ceiling,
        })
    }
}

/// All wallets of these people whose tier is known.
pub(super) async fn wallets_of_in_op(op: &mut Op, users: &[UserId]) -> sqlx::Result<Vec<Governed>> {
    let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT w.id, w.user_id, w.currency, o.tier, b.intake_ceiling
         FROM wallets w JOIN wallet_owners o USING (user_id) JOIN balances b ON b.account_id = w.id
         WHERE w.user_id = ANY ($1)",
        &users,
    )
    .fetch_all(&mut **op)
    .await?;
    rows.into_iter().map(Governed::try_from).collect()
}

/// Wallets of owners whose tier is known, some at a time, from the one behind `after` on.
pub(super) async fn page(pool: &PgPool, after: Uuid, most: i64) -> sqlx::Result<Vec<Governed>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT w.id, w.user_id, w.currency, o.tier, b.intake_ceiling
         FROM wallets w JOIN wallet_owners o USING (user_id) JOIN balances b ON b.account_id = w.id
         WHERE w.id > $1 ORDER BY w.id LIMIT $2",
        after,
        most,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Governed::try_from).collect()
}
