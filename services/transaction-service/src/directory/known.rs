//! Wallets by their id, which every transfer looks up twice: from memory, or with one statement for all that ask at the
//! same time.
//!
//! Whose a wallet is and what it holds never changes. Its owner's name may: it is shown to the other side as it was a
//! minute ago at the most.

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_db::PgPool;
use common_utils::{
    gather::{Gatherer, Limits, Stage},
    ids::WalletId,
};
use moka::sync::Cache;

use super::{DirectoryError, Owned, repo};
use crate::SERVICE;

const REMEMBERED: u64 = 50_000;
const FRESH: Duration = Duration::from_mins(1);
const LIMITS: Limits = Limits { batch: 1_000, waiting: 20_000 };

type Found = Result<Option<Owned>, Arc<sqlx::Error>>;

#[derive(Debug, Clone)]
pub(super) struct KnownWallets {
    remembered: Cache<WalletId, Owned>,
    gatherer: Gatherer<WalletId, Found>,
}

impl KnownWallets {
    pub(super) fn start(pool: PgPool) -> Self {
        let stage = Stage { service: SERVICE, stage: "directory" };
        Self {
            remembered: Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build(),
            gatherer: Gatherer::start(stage, LIMITS, move |ids| look_up(pool.clone(), ids)),
        }
    }

    pub(super) async fn find(&self, id: WalletId) -> Result<Option<Owned>, DirectoryError> {
        if let Some(remembered) = self.remembered.get(&id) {
            return Ok(Some(remembered));
        }
        let found =
            self.gatherer.call(id, 1).await.map_err(|error| DirectoryError::Unavailable(error.into()))??;
        // Somebody whose name is still on its way is asked for again.
        if let Some(named) = found.as_ref().filter(|owned| owned.owner_name.is_some()) {
            self.remembered.insert(id, named.clone());
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
