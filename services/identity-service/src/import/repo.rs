//! All SQL about bringing people in.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;

use super::entity::Imported;

/// Who was not there; who has an address or number of somebody else's is not written.
pub(super) async fn insert_in_op(
    op: &mut Op,
    people: &[Imported],
    now: DateTime<Utc>,
) -> sqlx::Result<HashSet<UserId>> {
    let texts = |of: fn(&Imported) -> &str| people.iter().map(of).collect::<Vec<&str>>();
    let flags = |of: fn(&Imported) -> bool| people.iter().map(of).collect::<Vec<bool>>();
    let new = sqlx::query_scalar!(
        "INSERT INTO users (id, email, phone_number, first_name, last_name, email_verified, phone_verified, roles, created_at,
                            updated_at)
         SELECT new.id, new.email, new.phone_number, new.first_name, new.last_name, new.email_verified, new.phone_verified,
                ARRAY['user'], new.created_at, $9
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
                     $8::timestamptz[])
              AS new (id, email, phone_number, first_name, last_name, email_verified, phone_verified, created_at)
         ON CONFLICT DO NOTHING
         RETURNING id",
        &people.iter().map(|person| person.user.id.uuid()).collect::<Vec<_>>(),
        &texts(|person| person.user.email.as_str()) as _,
        &texts(|person| person.user.phone_number.as_str()) as _,
        &texts(|person| person.user.first_name.as_str()) as _,
        &texts(|person| person.user.last_name.as_str()) as _,
        &flags(|person| person.user.email_verified),
        &flags(|person| person.user.phone_verified),
        &people.iter().map(|person| person.user.created_at).collect::<Vec<_>>(),
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(new.into_iter().map(UserId::from).collect())
}

pub(super) async fn insert_credentials_in_op(
    op: &mut Op,
    people: &[&Imported],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO password_credentials (user_id, hash, changed_at)
         SELECT new.user_id, new.hash, $3 FROM UNNEST($1::uuid[], $2::text[]) AS new (user_id, hash)",
        &people.iter().map(|person| person.user.id.uuid()).collect::<Vec<_>>(),
        &people.iter().map(|person| person.password_hash.as_str()).collect::<Vec<_>>() as _,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
