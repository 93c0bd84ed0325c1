//! The plugins of a route, and the order in which they run.
//!
//! Kong runs one instance of a plugin a call: the route's, else the service's, else the global one. The order is
//! Kong's priorities: pre-function (1000000), correlation-id (100001), cors (2000), jwt (1450), request-size-limiting
//! (951), rate-limiting (910), prometheus (13). The first that answers ends the call; headers for the client are
//! added to whatever the answer is.

pub(crate) mod correlation_id;
pub(crate) mod cors;
pub(crate) mod jwt;
mod offered_id;
pub(crate) mod pre_function;
pub(crate) mod rate_limiting;
pub(crate) mod size;
mod subject;

use std::{ops::ControlFlow, sync::Arc};

use axum::body::Body;
use http::{HeaderMap, Request, Response};

use self::{
    jwt::Jwt,
    pre_function::{Functions, Phase},
    rate_limiting::RateLimit,
};
use crate::{
    call::Call,
    config::{CorrelationIdConfig, CorsConfig, PluginConfig, PrometheusConfig, SizeConfig},
};

/// Goes on, or ends with an answer.
pub(crate) type Step<T = ()> = ControlFlow<Response<Body>, T>;

/// What runs for the calls of one route; in a field order that is the running order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    functions: Functions,
    correlation_id: Option<CorrelationIdConfig>,
    cors: Option<CorsConfig>,
    jwt: Option<Arc<Jwt>>,
    size: Option<SizeConfig>,
    rate_limit: Option<Arc<RateLimit>>,
    pub(crate) prometheus: Option<PrometheusConfig>,
}

impl Chain {
    /// Replaces what `configs`, which stand closer to the route, say. `scope` names where they stand.
    pub(crate) fn closer(
        &self,
        configs: &[PluginConfig],
        scope: &str,
        parts: &mut Parts,
    ) -> Result<Self, String> {
        let mut chain = self.clone();
        for config in configs {
            match config {
                PluginConfig::PreFunction(functions) => chain.functions = functions.clone(),
                PluginConfig::CorrelationId(config) => chain.correlation_id = Some(config.clone()),
                PluginConfig::Cors(config) => chain.cors = Some(config.clone()),
                PluginConfig::Jwt(config) => {
                    let (keyring, clock) = (Arc::clone(&parts.keyring), Arc::clone(&parts.clock));
                    chain.jwt = Some(Arc::new(Jwt::new(config, keyring, clock)));
                }
                PluginConfig::Size(config) => chain.size = Some(*config),
                PluginConfig::RateLimit(config) => {
                    let store = parts.stores.open(config, scope)?;
                    chain.rate_limit =
                        Some(Arc::new(RateLimit::new(config, store, Arc::clone(&parts.clock))));
                }
                PluginConfig::Prometheus(config) => chain.prometheus = Some(*config),
            }
        }
        Ok(chain)
    }

    /// What global plugins do before a route is looked for.
    pub(crate) fn rewrite(&self, headers: &mut HeaderMap) {
        self.functions.run(Phase::Rewrite, headers);
    }

    /// What happens before the service is called.
    pub(crate) async fn access(&self, call: &mut Call, mut request: Request<Body>) -> Step<Request<Body>> {
        self.functions.run(Phase::Access, request.headers_mut());
        if let Some(config) = &self.correlation_id {
            correlation_id::access(config, call, request.headers_mut());
        }
        if let Some(config) = &self.cors {
            cors::access(config, call, request.headers())?;
        }
        if let Some(jwt) = &self.jwt {
            jwt.access(request.headers_mut())?;
        }
        if let Some(config) = &self.size {
            request = size::access(*config, call, request).await?;
        }
        if let Some(limit) = &self.rate_limit {
            limit.access(call, request.headers()).await?;
        }
        ControlFlow::Continue(request)
    }

    /// A call without a route meets no plugin after `rewrite`, but the global ones still add to the answer.
    pub(crate) fn unrouted(&self, call: &mut Call, headers: &mut HeaderMap) {
        call.preflight = false;
        if let Some(config) = &self.correlation_id {
            correlation_id::access(config, call, headers);
        }
    }

    /// What is added to every answer, whoever gave it.
    pub(crate) fn header_filter(&self, call: &Call, headers: &mut HeaderMap) {
        if let Some(config) = &self.correlation_id {
            correlation_id::header_filter(config, call, headers);
        }
        if let Some(config) = &self.cors {
            cors::header_filter(config, call, headers);
        }
        for (name, value) in &call.limits {
            headers.insert(name, value.clone());
        }
    }
}

/// What plugins are made with, shared by all of them.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) keyring: Arc<jwt::Keyring>,
    pub(crate) stores: rate_limiting::Stores,
    pub(crate) clock: common_utils::clock::SharedClock,
}
