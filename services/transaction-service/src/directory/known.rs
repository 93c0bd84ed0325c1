//! Wallets by their id, which every transfer looks up twice: from memory, or with one statement for all that ask at the
//! same time.
//!
//! Whose a wallet is and what it holds never changes. Its owner's name may: it is shown to the other side as it was a
//! minute ago at the most.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use common_db::PgPool;
use common_utils::{
    gather::{Gatherer, Limits, Stage},
    ids::WalletId,
};
use quick_cache::sync::Cache;

use super::{DirectoryError, Owned, repo};
use crate::SERVICE;

const REMEMBERED: usize = 50_000;
const FRESH: Duration = Duration::from_mins(1);
const LIMITS: Limits = Limits { batch: 1_000, waiting: 20_000 };

type Found = Result<Option<Owned>, Arc<sqlx::Error>>;

#[derive(Debug, Clone)]
pub(super) struct KnownWallets {
    remembered: Arc<Cache<WalletId, Remembered>>,
    gatherer: Gatherer<WalletId, Found>,
}

#[derive(Debug, Clone)]
struct Remembered {
    owned: Owned,
    since: Instant,
}

impl KnownWallets {
    pub(super) fn start(pool: PgPool) -> Self {
        let stage = Stage { service: SERVICE, stage: "directory" };
        Self {
            remembered: Arc::new(Cache::new(REMEMBERED)),
            gatherer: Gatherer::start(stage, LIMITS, move |ids| look_up(pool.clone(), ids)),
        }
    }

    pub(super) async fn find(&self, id: WalletId) -> Result<Option<Owned>, DirectoryError> {
        let remembered = self.remembered.get(&id).filter(|remembered| remembered.since.elapsed() < FRESH);
        if let Some(remembered) = remembered {
            return Ok(Some(remembered.owned));
        }
        let found =
            self.gatherer.call(id, 1).await.map_err(|error| DirectoryError::Unavailable(error.into()))??;
        // Somebody whose name is still on its way is asked for again.
        if let Some(named) = found.as_ref().filter(|owned| owned.owner_name.is_some()) {
            self.remembered.insert(id, Remembered { owned: named.clone(), since: Instant::now() });
        }
        Ok(found)
    }
}

async fn look_up(pool: PgPool, ids: Vec<WalletId>) -> Vec<Found> {
    match repo::wallets(&pool, &ids).await {
        Ok(found) => {
            let found: HashMap<WalletId, Owned> =
                found.into_iter().map(|owned| (owned.wallet.id, owned)).collect();
            ids.iter().map(|id| Ok(found.get(id).cloned())).collect()
        }
        Err(error) => {
            let error = Arc::new(error);
            ids.iter().map(|_| Err(Arc::clone(&error))).collect()
        }
    }
}
