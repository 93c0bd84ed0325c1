//! Read models: tables that events alone fill, so that they can be made anew from the topics (`rebuild/`).
//!
//! Who keeps one up to date holds its lock shared until the commit; who puts another in its place holds it alone. So no event
//! is written into a table that is about to go.
//!
//! The handler's writes have to be right in any order and however often: a rebuild and the consumer meet the same events, and
//! not in step. It names tables without a schema and asks only for those of its own, for a rebuild has it write elsewhere.

use std::sync::Arc;

use common_db::Op;

use crate::{Event, EventHandler, HandlerError, Topic};

/// A read model and how it is filled.
#[derive(Clone)]
pub struct Projection {
    /// Lower-case letters: it is part of a schema's name.
    pub name: &'static str,
    /// Without triggers and foreign keys. Readers that join them name them in this order, so that they never wait in a ring with
    /// who replaces them.
    pub tables: &'static [&'static str],
    pub topics: &'static [Topic],
    pub handler: Arc<dyn EventHandler>,
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projection").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Projection {
    /// Who writes holds it shared, who replaces the tables alone.
    pub(crate) fn lock_name(&self) -> String {
        format!("projection {}", self.name)
    }

    /// Of several who would make it anew, one may.
    pub(crate) fn rebuild_lock_name(&self) -> String {
        format!("rebuild of projection {}", self.name)
    }
}

/// Lets each read model have those of the events that concern it.
pub async fn keep_in_op(
    op: &mut Op,
    projections: &[Projection],
    events: &[&Event],
) -> Result<(), HandlerError> {
    let concerned: Vec<(&Projection, Vec<&Event>)> = projections
        .iter()
        .map(|projection| {
            let takes = |event: &&&Event| projection.handler.takes(event);
            (projection, events.iter().filter(takes).copied().collect::<Vec<&Event>>())
        })
        .filter(|(_, events)| !events.is_empty())
        .collect();
    if concerned.is_empty() {
        return Ok(());
    }
    let locks: Vec<String> = concerned.iter().map(|(projection, _)| projection.lock_name()).collect();
    sqlx::query!(
        "SELECT pg_advisory_xact_lock_shared(hashtextextended(name, 0)) FROM UNNEST($1::text[]) AS locks (name)",
        &locks,
    )
    .execute(&mut **op)
    .await?;
    for (projection, events) in concerned {
        projection.handler.handle_all_in_op(op, &events).await?;
    }
    Ok(())
}
