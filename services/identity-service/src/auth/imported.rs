//! Whether people who were brought in still have hashes of bcrypt, and what the dearest of them costs. As long as there are any, each
//! refusal does that much work (`common_auth::password`), or its time would show who was brought in.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use common_db::PgPool;
use common_utils::clock::SharedClock;

use super::repo;

/// An import is known of after so long.
const FRESH: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone)]
pub(crate) struct ImportedHashes {
    pool: PgPool,
    clock: SharedClock,
    known: Arc<RwLock<Option<Known>>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    at: DateTime<Utc>,
    highest_cost: Option<u32>,
}

impl ImportedHashes {
    pub(crate) fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock, known: Arc::default() }
    }

    /// None where nobody has such a hash.
    pub(crate) async fn highest_cost(&self) -> sqlx::Result<Option<u32>> {
        let now = self.clock.now();
        let known = *self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.filter(|known| now - known.at < FRESH) {
            return Ok(known.highest_cost);
        }
        let stored = repo::highest_bcrypt(&self.pool).await?;
        let highest_cost = stored.and_then(|cost| cost.parse().ok());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Known { at: now, highest_cost });
        Ok(highest_cost)
    }
}
