//! Who works on tickets: a read model of the roles that user events tell of. Customers are not in it, so who is no staff any more
//! and was never known as such leaves no row: an older event that is put back afterwards would list them. It decides whom a
//! ticket may be given to, and nothing else; what somebody may do is in their token.

mod repo;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use common_auth::{
    Role,
    permissions::{Permission, WorkOnTickets},
};
use common_db::{Op, PgPool};
use common_events::{
    Event, EventHandler, HandlerError, Projection, Topic,
    contracts::{UserRegistered, UserSnapshot, UserUpdated, UserVerified},
};
use common_utils::ids::UserId;
use uuid::Uuid;

/// Whether this person may be given a ticket.
pub(crate) async fn works_on_tickets(pool: &PgPool, user: UserId) -> sqlx::Result<bool> {
    let roles = repo::active_roles(pool, user).await?;
    Ok(WorkOnTickets::is_held_by(&known(&roles)))
}

/// `projection rebuild staff`.
pub(crate) fn projection() -> Projection {
    Projection { name: "staff", tables: &["staff"], topics: &[Topic::User], handler: Arc::new(Staff) }
}

struct Staff;

/// The latest that a batch of events tells of somebody.
struct Told {
    user: UserSnapshot,
    as_of: DateTime<Utc>,
    /// Whether they had a role of staff at any time of it.
    listed: bool,
}

#[async_trait]
impl EventHandler for Staff {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserRegistered>() || event.is::<UserVerified>() || event.is::<UserUpdated>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let mut latest: BTreeMap<Uuid, Told> = BTreeMap::new();
        for event in events {
            let Some(user) = snapshot(event)? else { continue };
            let listed = known(&user.roles).iter().any(|role| *role != Role::User);
            // Postgres keeps microseconds, and compares with what is kept.
            let told = Told { as_of: event.time.trunc_subsecs(6), user, listed };
            match latest.get_mut(&told.user.user_id) {
                Some(before) => before.follow(told),
                None => {
                    latest.insert(told.user.user_id, told);
                }
            }
        }
        let (listed, others): (Vec<&Told>, Vec<&Told>) = latest.values().partition(|told| told.listed);
        repo::upsert_in_op(op, &listed).await?;
        // Somebody who is no staff now: what is known of them changes, if they were.
        Ok(repo::update_in_op(op, &others).await?)
    }
}

impl Told {
    fn follow(&mut self, next: Self) {
        let listed = self.listed || next.listed;
        if next.as_of >= self.as_of {
            *self = next;
        }
        self.listed = listed;
    }
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
