//! All SQL about staff.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_events::contracts::UserSnapshot;
use common_utils::ids::UserId;

const ACTIVE: &str = "active";

/// No roles when the person is no staff or may not sign in.
pub(super) async fn active_roles(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<String>> {
    let roles = sqlx::query_scalar!("SELECT roles FROM staff WHERE user_id = $1 AND active", user.uuid());
    Ok(roles.fetch_optional(pool).await?.unwrap_or_default())
}

pub(super) async fn upsert_in_op(op: &mut Op, user: &UserSnapshot, as_of: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO staff (user_id, roles, active, as_of) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT staff_pkey
         DO UPDATE SET roles = EXCLUDED.roles, active = EXCLUDED.active, as_of = EXCLUDED.as_of
         WHERE staff.as_of <= EXCLUDED.as_of",
        user.user_id,
        &user.roles,
        user.status == ACTIVE,
        as_of,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// For somebody who is no staff now: changes what is known of them, if they were.
pub(super) async fn update_in_op(op: &mut Op, user: &UserSnapshot, as_of: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE staff SET roles = $2, active = $3, as_of = $4 WHERE user_id = $1 AND as_of <= $4",
        user.user_id,
        &user.roles,
        user.status == ACTIVE,
        as_of,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
