//! Letters on their way into the database.

use async_trait::async_trait;
use common_db::PgPool;
use common_events::dlq::{Letter, LetterBox};
use common_utils::clock::SharedClock;

use super::{metrics, repo};

#[derive(Debug)]
pub(crate) struct Letters {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl LetterBox for Letters {
    async fn keep(&self, letters: &[Letter]) -> anyhow::Result<()> {
        let kept = repo::insert(&self.pool, letters, self.clock.now()).await?;
        metrics::received(kept);
        Ok(())
    }
}
