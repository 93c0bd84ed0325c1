//! What this service does with the events of all topics: they keep its read models, and each goes into the audit log.

use async_trait::async_trait;
use common_db::Op;
use common_events::{Event, EventHandler, HandlerError, projection};

use crate::{audit, projections};

#[derive(Debug)]
pub struct AdminEvents;

#[async_trait]
impl EventHandler for AdminEvents {
    /// All: also those of types and versions that are newer than this service.
    fn takes(&self, _event: &Event) -> bool {
        true
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        projection::keep_in_op(op, projections::all(), events).await?;
        // Last, because it holds the lock that all who append wait for.
        audit::append_in_op(op, events).await
    }

    async fn committed(&self, _event: &Event) {
        audit::count(1);
    }
}
