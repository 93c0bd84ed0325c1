//! Replacing a master key while the service runs: a new one wraps from now on → every person's key is opened and wrapped under it, in
//! batches, while others read and write → the old one goes once nothing is wrapped under it. People's keys stay what they are, so nothing that
//! is encrypted under them is touched. What was broken off is repeated: a key is wrapped anew only if it is as it was read.

use chrono::{DateTime, Utc};
use common_utils::ids::UserId;
use futures::{StreamExt, stream};

use super::{
    data_key::DataKey,
    error::PiiError,
    key_provider::{KeyError, WrappedKey},
    repo::{self, Retirement, Rewrapped, Wrapped},
    vault::{Vault, context},
};

const BATCH: i64 = 200;
/// Keys that a key management service opens and wraps at one moment.
const AT_ONCE: usize = 8;

/// A master key as an operator sees it.
#[derive(Debug)]
pub(crate) struct Master {
    pub(crate) id: String,
    pub(crate) duty: Duty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Wraps new keys; so many are.
    Wraps(i64),
    /// Only opens: so many are wrapped under it.
    Opens(i64),
    Retired(DateTime<Utc>),
    /// The key of the hashes by which values are found.
    FindsValues,
}

/// How rewrapping went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) rewrapped: u64,
    /// Keys that cannot be opened, named in the log.
    pub(crate) unreadable: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RetireError {
    #[error("there is no master key {0}")]
    Unknown(String),
    #[error("it wraps new keys; rotate first")]
    Current,
    #[error("stored values are found by it; it stays")]
    FindsValues,
    #[error("{0} keys are wrapped under it; rewrap first")]
    Wraps(i64),
    #[error("numbers are still encrypted under the first of them; the service moves them when it runs")]
    Unmoved,
    #[error(transparent)]
    Pii(#[from] PiiError),
}

impl Vault {
    /// The master keys, oldest first.
    pub(crate) async fn masters(&self) -> Result<Vec<Master>, PiiError> {
        let current = self.masters.current_key_id().await?;
        let opens = |id: &str, keys| if id == current { Duty::Wraps(keys) } else { Duty::Opens(keys) };
        let rows = repo::master_keys(&self.pool).await?;
        let mut masters: Vec<Master> = Vec::new();
        for row in rows {
            let duty = match row.retired_at {
                Some(at) => Duty::Retired(at),
                None if !row.wraps => Duty::FindsValues,
                None => opens(&row.id, row.keys),
            };
            masters.push(Master { id: row.id, duty });
        }
        // Those that have wrapped nothing yet.
        for id in self.masters.held().await? {
            if masters.iter().all(|master| master.id != id) {
                masters.push(Master { duty: opens(&id, 0), id });
            }
        }
        Ok(masters)
    }

    /// A new master key, which wraps from now on.
    pub(crate) async fn rotate(&self) -> Result<String, PiiError> {
        Ok(self.masters.rotate().await?)
    }

    /// Wraps every key that another master key has wrapped under the current one. It stops where the master keys cannot be reached.
    pub(crate) async fn rewrap(&self) -> Result<Progress, PiiError> {
        let mut progress = Progress::default();
        for master in self.masters().await? {
            if let Duty::Opens(_) = master.duty {
                self.rewrap_from(&master.id, &mut progress).await?;
            }
        }
        Ok(progress)
    }

    async fn rewrap_from(&self, master: &str, progress: &mut Progress) -> Result<(), PiiError> {
        let mut last = None;
        loop {
            let batch = repo::wrapped_under(&self.pool, master, last, BATCH).await?;
            let Some(end) = batch.last() else { return Ok(()) };
            last = Some(end.user);
            let (anew, unreadable) = self.wrapped_anew(master, batch).await?;
            progress.unreadable += unreadable;
            progress.rewrapped += repo::rewrap(&self.pool, &anew, &self.lookup.id, self.clock.now()).await?;
            tracing::info!(master, rewrapped = progress.rewrapped, "keys of personal data are wrapped anew");
        }
    }

    /// No transaction is open while the keys are opened and wrapped.
    async fn wrapped_anew(
        &self,
        master: &str,
        batch: Vec<Wrapped>,
    ) -> Result<(Vec<Rewrapped>, u64), PiiError> {
        let tried = stream::iter(batch).map(|key| self.one_anew(master, key)).buffered(AT_ONCE);
        let mut tried = std::pin::pin!(tried);
        let (mut anew, mut unreadable) = (Vec::new(), 0);
        while let Some(outcome) = tried.next().await {
            match outcome {
                Ok(key) => anew.push(key),
                Err((_, KeyError::Unavailable(error))) => return Err(KeyError::Unavailable(error).into()),
                Err((user, error)) => {
                    unreadable += 1;
                    tracing::error!(user_id = %user, %error, "a person's key cannot be opened");
                }
            }
        }
        Ok((anew, unreadable))
    }

    async fn one_anew(&self, master: &str, key: Wrapped) -> Result<Rewrapped, (UserId, KeyError)> {
        let Wrapped { user, bytes: before } = key;
        let wrapped = WrappedKey { key_id: master.to_owned(), bytes: before };
        let failed = |error| (user, error);
        let opened = DataKey::new(user, self.masters.unwrap(&context(user), &wrapped).await.map_err(failed)?);
        let after = self.masters.wrap(&context(user), opened.bytes()).await.map_err(failed)?;
        Ok(Rewrapped { user, before: wrapped.bytes, after })
    }

    /// Lets a master key go under which nothing is wrapped. Without effect on one that is gone.
    pub(crate) async fn retire(&self, id: &str) -> Result<(), RetireError> {
        let masters = self.masters().await?;
        let duty = masters.iter().find(|master| master.id == id).map(|master| master.duty);
        match duty {
            None => return Err(RetireError::Unknown(id.to_owned())),
            Some(Duty::Wraps(_)) => return Err(RetireError::Current),
            Some(Duty::FindsValues) => return Err(RetireError::FindsValues),
            Some(Duty::Opens(_) | Duty::Retired(_)) => {}
        }
        let retired = repo::retire(&self.pool, id, self.clock.now()).await;
        match retired.map_err(PiiError::from)? {
            Retirement::Done => Ok(self.masters.remove(id).await.map_err(PiiError::from)?),
            Retirement::Wraps(keys) => Err(RetireError::Wraps(keys)),
            Retirement::Unmoved => Err(RetireError::Unmoved),
        }
    }
}
