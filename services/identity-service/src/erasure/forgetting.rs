//! Deletes the keys of people whose evidence need not be kept any more. Several instances may: each takes people that no other has.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common_utils::ids::UserId;
use tokio_util::sync::CancellationToken;

use super::{Erasures, error::ErasureError, repo};
use crate::{kyc, metrics, users};

const EVERY: Duration = Duration::from_mins(10);

impl Erasures {
    /// Runs until `shutdown`.
    pub(crate) async fn keep_forgetting(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            let Some(forgotten) = shutdown.run_until_cancelled(self.forget_due()).await else { return };
            if let Err(error) = forgotten {
                tracing::error!(%error, "cannot look for evidence that is over; trying again later");
            }
        }
    }

    /// One person's trouble keeps nobody else's evidence: each is taken once a round.
    async fn forget_due(&self) -> Result<(), ErasureError> {
        let now = self.clock.now();
        let mut last = None;
        while let Some(due) = repo::next_due(&self.pool, last.as_ref(), now).await? {
            if let Err(error) = self.forget(due.user, now).await {
                let user_id = due.user;
                tracing::error!(%user_id, %error, "evidence that is over could not be deleted; trying again later");
            }
            last = Some(due);
        }
        Ok(())
    }

    async fn forget(&self, user: UserId, now: DateTime<Utc>) -> Result<(), ErasureError> {
        let mut op = common_db::begin(&self.pool).await?;
        if !repo::take_due_in_op(&mut op, user, now).await? {
            return Ok(());
        }
        users::repo::find_locked_in_op(&mut op, user, &self.clock).await?;
        kyc::repo::delete_in_op(&mut op, user).await?;
        kyc::numbers::delete_in_op(&mut op, user).await?;
        kyc::cases::repo::empty_in_op(&mut op, user).await?;
        repo::forget_in_op(&mut op, user, now).await?;
        self.vault.erase_in_op(&mut op, user).await?;
        op.commit().await?;
        self.vault.forget(user);
        metrics::erased("forgotten");
        tracing::info!(user_id = %user, "evidence deleted with its key");
        Ok(())
    }
}
