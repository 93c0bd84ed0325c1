//! Deletes the keys of people whose evidence need not be kept any more. Several instances may: each takes people that no other has.

use std::time::Duration;

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
                tracing::error!(%error, "evidence that is over could not be deleted; trying again later");
            }
        }
    }

    async fn forget_due(&self) -> Result<(), ErasureError> {
        while self.forget_next().await? {}
        Ok(())
    }

    async fn forget_next(&self) -> Result<bool, ErasureError> {
        let now = self.clock.now();
        let mut op = common_db::begin(&self.pool).await?;
        let Some(user) = repo::next_due_in_op(&mut op, now).await? else { return Ok(false) };
        users::repo::find_locked_in_op(&mut op, user).await?;
        kyc::repo::delete_in_op(&mut op, user).await?;
        kyc::numbers::delete_in_op(&mut op, user).await?;
        kyc::cases::repo::empty_in_op(&mut op, user).await?;
        repo::forget_in_op(&mut op, user, now).await?;
        self.vault.erase_in_op(&mut op, user).await?;
        op.commit().await?;
        self.vault.forget(user);
        metrics::erased("forgotten");
        tracing::info!(user_id = %user, "evidence deleted with its key");
        Ok(true)
    }
}
