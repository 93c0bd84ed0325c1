//! Counts in Redis, so that several gateways count together. Each count has a deadline.

use std::time::Duration;

use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::config::RedisConfig;

/// Counts unless the limit is reached; answers the count before.
const SCRIPT: &str = "local used = tonumber(redis.call('get', KEYS[1]) or '0') \
    if used < tonumber(ARGV[1]) then \
        if redis.call('incr', KEYS[1]) == 1 then redis.call('expire', KEYS[1], ARGV[2]) end \
    end \
    return used";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis did not answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
}

#[derive(Clone)]
pub(crate) struct Redis {
    connection: ConnectionManager,
    deadline: Duration,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// Connects when the first call is counted, so that the gateway starts without Redis.
    pub(super) fn new(config: &RedisConfig) -> Result<Self, String> {
        let mut login = RedisConnectionInfo::default().set_db(config.database);
        if let Some(password) = &config.password {
            login = login.set_password(password);
        }
        let address = ConnectionAddr::Tcp(config.host.clone(), config.port);
        let deadline = Duration::from_millis(config.timeout);
        let options = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(deadline))
            .set_response_timeout(Some(deadline));
        let connection = address
            .into_connection_info()
            .and_then(|info| Client::open(info.set_redis_settings(login)))
            .and_then(|client| ConnectionManager::new_lazy_with_config(client, options))
            .map_err(|error| error.to_string())?;
        Ok(Self { connection, deadline })
    }

    pub(super) async fn count(&self, key: &str, limit: u32, expiry: i64) -> Result<u32, Unreachable> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("EVAL");
        command.arg(SCRIPT).arg(1).arg(key).arg(limit).arg(expiry);
        Ok(tokio::time::timeout(self.deadline, command.query_async(&mut connection)).await??)
    }
}
