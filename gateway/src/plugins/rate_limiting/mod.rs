//! So many calls a minute, by address or by a header's value, in fixed calendar minutes. A refused call is not
//! counted.
//!
//! Counters belong to the place where the plugin stands: one that stands at a service counts all its routes together.

mod local;
mod redis;

use std::{collections::HashMap, ops::ControlFlow};

use common_utils::clock::SharedClock;
use http::{HeaderMap, HeaderName, StatusCode, header};

use self::{local::Local, redis::Redis};
use super::Step;
use crate::{
    answers::TOO_MANY,
    call::Call,
    config::{LimitBy, RateLimitConfig, RedisConfig},
};

const WINDOW: i64 = 60;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const LIMIT_MINUTE: HeaderName = HeaderName::from_static("x-ratelimit-limit-minute");
const REMAINING_MINUTE: HeaderName = HeaderName::from_static("x-ratelimit-remaining-minute");

/// Where counts are kept.
#[derive(Debug)]
pub(crate) enum Store {
    Local(Local),
    Redis { redis: Redis, scope: String },
}

impl Store {
    /// Counts one call of `identifier` in the minute that began at `window`, unless `limit` is reached. Answers how many
    /// were counted before.
    async fn count(&self, identifier: &str, window: i64, limit: u32) -> Result<u32, redis::Unreachable> {
        match self {
            Self::Local(local) => Ok(local.count(identifier, window, limit)),
            Self::Redis { redis, scope } => {
                redis
                    .count(&format!("ratelimit:{scope}:{identifier}:{window}:minute"), limit, 2 * WINDOW)
                    .await
            }
        }
    }
}

/// Opens stores; plugins that name the same Redis share its connection.
#[derive(Debug, Default)]
pub(crate) struct Stores(HashMap<RedisConfig, Redis>);

impl Stores {
    pub(crate) fn open(&mut self, config: &RateLimitConfig, scope: &str) -> Result<Store, String> {
        let Some(config) = &config.redis else { return Ok(Store::Local(Local::default())) };
        let redis = match self.0.get(config) {
            Some(redis) => redis.clone(),
            None => Redis::new(config)?,
        };
        self.0.insert(config.clone(), redis.clone());
        Ok(Store::Redis { redis, scope: scope.to_owned() })
    }
}

#[derive(Debug)]
pub(crate) struct RateLimit {
    config: RateLimitConfig,
    store: Store,
    clock: SharedClock,
}

impl RateLimit {
    pub(crate) fn new(config: &RateLimitConfig, store: Store, clock: SharedClock) -> Self {
        Self { config: config.clone(), store, clock }
    }

    pub(crate) async fn access(&self, call: &mut Call, headers: &HeaderMap) -> Step {
        let now = self.clock.now().timestamp();
        let window = now - now.rem_euclid(WINDOW);
        let limit = self.config.minute;
        let used = match self.store.count(&self.identifier(call, headers), window, limit).await {
            Ok(used) => used,
            Err(error) if self.config.fault_tolerant => {
                tracing::warn!(%error, "rates are not limited");
                return ControlFlow::Continue(());
            }
            Err(error) => {
                tracing::error!(%error, "rates cannot be counted");
                return ControlFlow::Break(call.reader.unreached(StatusCode::INTERNAL_SERVER_ERROR));
            }
        };
        let remaining = limit.saturating_sub(used).saturating_sub(1);
        let reset = (window + WINDOW - now).max(1);
        for (name, value) in [
            (LIMIT_MINUTE, i64::from(limit)),
            (REMAINING_MINUTE, i64::from(remaining)),
            (LIMIT, i64::from(limit)),
            (REMAINING, i64::from(remaining)),
            (RESET, reset),
        ] {
            call.limits.insert(name, value.into());
        }
        if used < limit {
            return ControlFlow::Continue(());
        }
        call.limits.insert(header::RETRY_AFTER, reset.into());
        ControlFlow::Break(call.reader.error(StatusCode::TOO_MANY_REQUESTS, TOO_MANY))
    }

    /// Whose call it is: the header's value, or the address where there is none.
    fn identifier(&self, call: &Call, headers: &HeaderMap) -> String {
        let named = match (self.config.limit_by, &self.config.header_name) {
            (LimitBy::Header, Some(name)) => headers.get(&name.0).and_then(|value| value.to_str().ok()),
            _ => None,
        };
        named.map_or_else(|| call.client.ip().to_canonical().to_string(), str::to_owned)
    }
}
