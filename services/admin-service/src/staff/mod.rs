//! Who works on tickets: a read model of the roles that user events tell of. Customers are not in it.

mod repo;

use common_auth::Role;
use common_db::{Op, PgPool};
use common_events::{
    Event, HandlerError,
    contracts::{UserRegistered, UserSnapshot, UserUpdated, UserVerified},
};
use common_utils::ids::UserId;

use crate::permissions;

/// Whether this person may be given a ticket.
pub(crate) async fn works_on_tickets(pool: &PgPool, user: UserId) -> sqlx::Result<bool> {
    let roles = repo::active_roles(pool, user).await?;
    Ok(permissions::works_on_tickets(&known(&roles)))
}

/// Keeps the read model; other events are left alone.
pub(crate) async fn handle_in_op(op: &mut Op, event: &Event) -> Result<(), HandlerError> {
    let Some(user) = snapshot(event)? else { return Ok(()) };
    if known(&user.roles).iter().any(|role| *role != Role::User) {
        repo::upsert_in_op(op, &user, event.time).await?;
    } else {
        repo::update_in_op(op, &user, event.time).await?;
    }
    Ok(())
}

fn snapshot(event: &Event) -> serde_json::Result<Option<UserSnapshot>> {
    if let Some(data) = event.data::<UserRegistered>() {
        return data.map(|data| Some(data.0));
    }
    if let Some(data) = event.data::<UserVerified>() {
        return data.map(|data| Some(data.0));
    }
    event.data::<UserUpdated>().map(|data| data.map(|data| data.0)).transpose()
}

/// A role that is newer than this service gives no right here.
fn known(roles: &[String]) -> Vec<Role> {
    roles.iter().filter_map(|role| role.parse().ok()).collect()
}
