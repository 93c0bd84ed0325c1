//! Numbers that an earlier release has encrypted under the deployment's one key are moved to their person's own, once, in batches, while the
//! service runs; until then they are read where they are. Several instances may: who comes second changes nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Kyc, error::KycError, repo};
use crate::crypto::{
    data_key::{Field, Place},
    error::PiiError,
    key_provider::KeyError,
};

const BATCH: i64 = 100;
/// Until what could not be moved is tried again.
const PAUSE: Duration = Duration::from_mins(1);

impl Kyc {
    /// Runs until all are moved, or until `shutdown`.
    pub(crate) async fn move_to_own_keys(self, shutdown: CancellationToken) {
        loop {
            let Some(moved) = shutdown.run_until_cancelled(self.move_all()).await else { return };
            match moved {
                Ok(0) => return,
                Ok(moved) => {
                    return tracing::info!(moved, "numbers are encrypted under their people's own keys");
                }
                Err(error) => {
                    tracing::error!(%error, "numbers could not be moved to their people's keys; trying again");
                }
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
        }
    }

    async fn move_all(&self) -> Result<usize, KycError> {
        let (mut moved, mut last) = (0, None);
        loop {
            let batch = repo::unmoved(&self.pool, last, BATCH).await?;
            let Some(end) = batch.last() else { return Ok(moved) };
            last = Some(end.user);
            for unmoved in &batch {
                match self.move_one(unmoved).await {
                    Ok(()) => moved += 1,
                    Err(error) if is_damaged(&error) => {
                        tracing::error!(user_id = %unmoved.user, %error, "a number cannot be read and stays where it is");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn move_one(&self, unmoved: &repo::Unmoved) -> Result<(), KycError> {
        let key = self.vault.key(unmoved.user).await?;
        let anew = |field, stored: &[u8]| {
            let place = Place::new(unmoved.user, field);
            key.seal(&place, self.vault.open_text(Some(&key), &place, stored)?.as_bytes())
        };
        let bvn = anew(Field::Bvn, &unmoved.bvn)?;
        let date_of_birth = anew(Field::DateOfBirth, &unmoved.date_of_birth)?;
        Ok(repo::move_to_own_key(&self.pool, unmoved, &bvn, &date_of_birth).await?)
    }
}

/// Trying again would not help, and others are not to wait for it.
fn is_damaged(error: &KycError) -> bool {
    use KeyError::{Damaged, Unknown};
    use PiiError::{Erased, Key, Unmoved};
    matches!(error, KycError::Pii(PiiError::Damaged | Erased | Unmoved(_) | Key(Damaged | Unknown(_))))
}
