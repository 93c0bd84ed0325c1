//! All SQL about staff.

use common_db::{Op, PgPool};
use common_utils::ids::UserId;

use super::Told;

const ACTIVE: &str = "active";

/// No roles when the person is no staff or may not sign in.
pub(super) async fn active_roles(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<String>> {
    let roles = sqlx::query_scalar!("SELECT roles FROM staff WHERE user_id = $1 AND active", user.uuid());
    Ok(roles.fetch_optional(pool).await?.unwrap_or_default())
}

/// People that are named once each, sorted by their ids.
pub(super) async fn upsert_in_op(op: &mut Op, people: &[&Told]) -> sqlx::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO staff (user_id, roles, active, as_of)
         SELECT new.user_id, string_to_array(new.roles, ','), new.active, new.as_of
         FROM UNNEST($1::uuid[], $2::text[], $3::boolean[], $4::timestamptz[]) AS new (user_id, roles, active, as_of)
         ON CONFLICT ON CONSTRAINT staff_pkey
         DO UPDATE SET roles = EXCLUDED.roles, active = EXCLUDED.active, as_of = EXCLUDED.as_of
         WHERE staff.as_of <= EXCLUDED.as_of",
        &people.iter().map(|told| told.user.user_id).collect::<Vec<_>>(),
        &people.iter().map(|told| told.user.roles.join(",")).collect::<Vec<_>>(),
        &people.iter().map(|told| told.user.status == ACTIVE).collect::<Vec<_>>(),
        &people.iter().map(|told| told.as_of).collect::<Vec<_>>(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Changes those who are known.
pub(super) async fn update_in_op(op: &mut Op, people: &[&Told]) -> sqlx::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE staff SET roles = string_to_array(new.roles, ','), active = new.active, as_of = new.as_of
         FROM UNNEST($1::uuid[], $2::text[], $3::boolean[], $4::timestamptz[]) AS new (user_id, roles, active, as_of)
         WHERE staff.user_id = new.user_id AND staff.as_of <= new.as_of",
        &people.iter().map(|told| told.user.user_id).collect::<Vec<_>>(),
        &people.iter().map(|told| told.user.roles.join(",")).collect::<Vec<_>>(),
        &people.iter().map(|told| told.user.status == ACTIVE).collect::<Vec<_>>(),
        &people.iter().map(|told| told.as_of).collect::<Vec<_>>(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
