//! Short locks in Redis, which keep two processes from doing the same work twice. They decide nothing: with Redis gone or
//! flushed everybody works, so what is done under a lock has to be right when it is done twice.
//!
//! `lock:{name}` holds the fencing token of its owner for 30 seconds; `fence:{name}` counts the tokens. A later owner has a
//! greater one.

use std::time::Duration;

use redis::{AsyncCommands, ExistenceCheck, RedisResult, SetExpiry, SetOptions, aio::ConnectionManager};

const HELD: Duration = Duration::from_secs(30);
/// Takes the lock away from nobody but its owner.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

#[derive(Clone)]
pub struct Locks {
    redis: ConnectionManager,
    prefix: String,
}

impl std::fmt::Debug for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locks").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Held until it is released, or for 30 seconds.
#[derive(Debug)]
pub struct Lock {
    name: String,
    /// None where Redis did not answer: somebody else may be at the same work.
    fence: Option<u64>,
}

impl Lock {
    /// Greater than that of any owner before.
    pub fn fence(&self) -> Option<u64> {
        self.fence
    }
}

impl Locks {
    /// `prefix` keeps deployments that share a Redis apart.
    pub fn new(redis: ConnectionManager, prefix: &str) -> Self {
        Self { redis, prefix: prefix.to_owned() }
    }

    /// None when another one has it.
    pub async fn take(&self, name: &str) -> Option<Lock> {
        let name = format!("{}{name}", self.prefix);
        let taken = self.try_take(&name).await;
        match taken {
            Ok(Some(fence)) => Some(Lock { name, fence: Some(fence) }),
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, name, "Redis does not answer; working without the lock");
                Some(Lock { name, fence: None })
            }
        }
    }

    async fn try_take(&self, name: &str) -> RedisResult<Option<u64>> {
        let mut redis = self.redis.clone();
        let fence: u64 = redis.incr(format!("fence:{name}"), 1).await?;
        let milliseconds = u64::try_from(HELD.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(milliseconds));
        let set: Option<String> = redis.set_options(format!("lock:{name}"), fence, options).await?;
        Ok(set.map(|_| fence))
    }

    pub async fn release(&self, lock: Lock) {
        let Some(fence) = lock.fence else { return };
        let released: RedisResult<i64> = redis::cmd("EVAL")
            .arg(RELEASE)
            .arg(1)
            .arg(format!("lock:{}", lock.name))
            .arg(fence)
            .query_async(&mut self.redis.clone())
            .await;
        if let Err(error) = released {
            tracing::debug!(%error, name = lock.name, "a lock is left to its expiry");
        }
    }
}
