//! All SQL about people.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use common_auth::Role;
use common_db::Op;
use common_utils::{clock::SharedClock, contact::PhoneNumber, ids::UserId};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Identifier, entity::User, error::UserError, locked::LockedUser};

struct Row {
    id: Uuid,
    email: String,
    phone_number: String,
    first_name: String,
    last_name: String,
    email_verified: bool,
    phone_verified: bool,
    kyc_tier: i16,
    roles: Vec<String>,
    status: String,
    factors: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for User {
    type Error = UserError;

    fn try_from(row: Row) -> Result<Self, UserError> {
        fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, UserError> {
            text.parse().map_err(|error: T::Err| UserError::Corrupt(error.to_string()))
        }
        let known: BTreeSet<Role> = row.roles.iter().filter_map(|role| role.parse().ok()).collect();
        let other = row.roles.into_iter().filter(|role| role.parse::<Role>().is_err());
        Ok(Self {
            id: row.id.into(),
            email: read(&row.email)?,
            phone_number: PhoneNumber::from_stored(row.phone_number),
            first_name: read(&row.first_name)?,
            last_name: read(&row.last_name)?,
            email_verified: row.email_verified,
            phone_verified: row.phone_verified,
            kyc_tier: row.kyc_tier,
            roles: known,
            other_roles: other.collect(),
            status: read(&row.status)?,
            factors: row.factors.iter().filter_map(|method| method.parse().ok()).collect(),
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn insert_in_op(op: &mut Op, user: &User) -> Result<(), UserError> {
    sqlx::query!(
        "INSERT INTO users (id, email, phone_number, first_name, last_name, kyc_tier, roles, status,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        user.id.uuid(),
        user.email.as_str(),
        user.phone_number.as_str(),
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.kyc_tier,
        &user.role_names(),
        user.status.name(),
        user.created_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes what may change.
pub(crate) async fn update_in_op(op: &mut Op, user: &LockedUser) -> Result<(), UserError> {
    sqlx::query!(
        "UPDATE users SET first_name = $2, last_name = $3, kyc_tier = $4, roles = $5, updated_at = $6
         WHERE id = $1",
        user.id.uuid(),
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.kyc_tier,
        &user.role_names(),
        user.at(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes how they are reached, and what of it is verified.
pub(crate) async fn update_contacts_in_op(op: &mut Op, user: &LockedUser) -> Result<(), UserError> {
    sqlx::query!(
        "UPDATE users SET email = $2, phone_number = $3, email_verified = $4, phone_verified = $5, updated_at = $6
         WHERE id = $1",
        user.id.uuid(),
        user.email.as_str(),
        user.phone_number.as_str(),
        user.email_verified,
        user.phone_verified,
        user.at(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes all that may change.
pub(crate) async fn replace_in_op(op: &mut Op, user: &LockedUser) -> Result<(), UserError> {
    update_in_op(op, user).await?;
    update_contacts_in_op(op, user).await?;
    update_status_in_op(op, user).await
}

pub(crate) async fn update_status_in_op(op: &mut Op, user: &LockedUser) -> Result<(), UserError> {
    sqlx::query!(
        "UPDATE users SET status = $2, updated_at = $3 WHERE id = $1",
        user.id.uuid(),
        user.status.name(),
        user.at(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes what they prove who they are with beside the password.
pub(crate) async fn update_factors_in_op(op: &mut Op, user: &LockedUser) -> Result<(), UserError> {
    let factors: Vec<&str> = user.factors.iter().map(|method| method.amr()).collect();
    sqlx::query!(
        "UPDATE users SET factors = $2, updated_at = $3 WHERE id = $1",
        user.id.uuid(),
        &factors as _,
        user.at(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn find(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<User>, UserError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, email, phone_number, first_name, last_name, email_verified, phone_verified, kyc_tier, roles,
                status, factors, created_at, updated_at
         FROM users WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(User::try_from).transpose()
}

/// Locks the person until the transaction ends: whoever changes them waits. The clock is read when the lock is there.
pub(crate) async fn find_locked_in_op(
    op: &mut Op,
    id: UserId,
    clock: &SharedClock,
) -> Result<Option<LockedUser>, UserError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, email, phone_number, first_name, last_name, email_verified, phone_verified, kyc_tier, roles,
                status, factors, created_at, updated_at
         FROM users WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let updated_at = row.updated_at;
    Ok(Some(LockedUser::new(row.try_into()?, updated_at, clock)))
}

/// An address contains `@` and a number begins with `+`, so one value never means both.
pub(crate) async fn find_by(
    db: impl PgExecutor<'_>,
    identifier: &Identifier,
) -> Result<Option<User>, UserError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, email, phone_number, first_name, last_name, email_verified, phone_verified, kyc_tier, roles,
                status, factors, created_at, updated_at
         FROM users WHERE email = $1 OR phone_number = $1",
        identifier.as_str(),
    )
    .fetch_optional(db)
    .await?;
    row.map(User::try_from).transpose()
}
