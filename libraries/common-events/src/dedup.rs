//! Events that were seen lately, remembered in Redis as `dedup:{group}:{event}` for 24 hours. That
//! saves a database transaction where a whole batch was seen, and no more: the inbox is looked into before events are
//! skipped, because marks may be those of a database that was restored or replaced. With Redis flushed or gone, the inbox decides alone.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use common_utils::config::RedisConfig;
use redis::{
    AsyncCommands, Client, ConnectionAddr, ConnectionInfo, RedisConnectionInfo,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::ExposeSecret;
use uuid::Uuid;

const REMEMBER: u64 = 24 * 60 * 60;
const PATIENCE: Duration = Duration::from_millis(100);
/// After a failure Redis is left alone this long.
const PAUSE: Duration = Duration::from_secs(5);

/// A connection that is made when it is first used, and again when it breaks.
pub fn connect(config: &RedisConfig) -> redis::RedisResult<ConnectionManager> {
    let address = ConnectionAddr::Tcp(config.host.clone(), config.port);
    let mut login = RedisConnectionInfo::default();
    if let Some(password) = &config.password {
        login = login.set_password(password.expose_secret());
    }
    let info: ConnectionInfo =
        redis::IntoConnectionInfo::into_connection_info(address)?.set_redis_settings(login);
    let patience = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(Client::open(info)?, patience)
}

pub struct Dedup {
    redis: ConnectionManager,
    prefix: String,
    away_until: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Dedup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedup").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Dedup {
    pub fn new(redis: ConnectionManager, group: &str) -> Self {
        Self { redis, prefix: format!("dedup:{group}"), away_until: Mutex::new(None) }
    }

    /// Whether all the events are known to have taken effect. False also when Redis cannot tell.
    pub async fn all_seen(&self, events: &[Uuid]) -> bool {
        if self.away() {
            return false;
        }
        let keys: Vec<String> = events.iter().map(|event| self.key(*event)).collect();
        let answer: redis::RedisResult<usize> = self.redis.clone().exists(&keys).await;
        self.noted(answer) == Some(events.len())
    }

    /// Remembers events whose effects are committed.
    pub async fn mark(&self, events: &[Uuid]) {
        if self.away() {
            return;
        }
        let mut marks = redis::pipe();
        for event in events {
            marks.set_ex(self.key(*event), 1, REMEMBER).ignore();
        }
        let answer: redis::RedisResult<()> = marks.query_async(&mut self.redis.clone()).await;
        self.noted(answer);
    }

    fn key(&self, event: Uuid) -> String {
        format!("{}:{event}", self.prefix)
    }

    fn away(&self) -> bool {
        let until = *self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn noted<T>(&self, answer: redis::RedisResult<T>) -> Option<T> {
        answer
            .inspect_err(|error| {
                tracing::debug!(%error, "Redis does not answer; the inbox decides alone");
                *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + PAUSE);
            })
            .ok()
    }
}
