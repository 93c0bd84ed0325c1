//! What this service takes in: people and wallets into the directory, deposits into the transactions.

use async_trait::async_trait;
use common_db::Op;
use common_events::{Event, EventHandler, HandlerError};
use common_utils::clock::SharedClock;

use crate::{deposits, directory::Directory, metrics};

#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) directory: Directory,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl EventHandler for Intake {
    /// Most events of wallets are the two sides of our own transfers, which leave nothing here.
    fn takes(&self, event: &Event) -> bool {
        // One that cannot be read is taken, so that it fails.
        Directory::learns_from(event) || !matches!(deposits::of(event), Ok(None))
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.directory.learn_in_op(op, event).await?;
        deposits::take_in_op(op, event, &*self.clock).await
    }

    async fn committed(&self, event: &Event) {
        if matches!(deposits::of(event), Ok(Some(_))) {
            metrics::deposited();
        }
    }
}
