//! Puts a gateway together from the file and what stands behind its upstreams.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
};

use axum::Router;
use common_utils::clock::{SharedClock, SystemClock};
use http::Uri;

use crate::{
    balancer::{Balancer, Health, Peer, Transport},
    config::{self, Config},
    gateway::{Gateway, Inner, RouteEntry, ServiceEntry},
    metrics::RouteMetrics,
    plugins::{Chain, Parts, jwt::Keyring, rate_limiting::Stores},
    proxy::Proxy,
    routing::Table,
};

/// What stands behind an upstream of the file.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// A service in this process: no second network hop.
    Router(Router),
    /// Base URLs (`http://host:port`), taken in turn.
    Http(Vec<String>),
}

impl Upstream {
    pub fn http(base: impl Into<String>) -> Self {
        Self::Http(vec![base.into()])
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("upstream {0:?} is in the file, and nothing was named to stand behind it")]
    Missing(String),
    #[error("upstream {0:?} is not in the file")]
    Unknown(String),
    #[error("{url:?} is no base URL: {reason}")]
    Url { url: String, reason: &'static str },
    #[error("{0}")]
    Plugin(String),
}

/// Gathers what the file leaves open.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    upstreams: HashMap<String, Upstream>,
    clock: SharedClock,
    port: u16,
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, upstreams: HashMap::new(), clock: SystemClock::shared(), port: 8000 }
    }

    /// What stands behind the upstream `name` of the file.
    #[must_use]
    pub fn upstream(mut self, name: &str, upstream: Upstream) -> Self {
        self.upstreams.insert(name.to_owned(), upstream);
        self
    }

    /// The clock for tokens and rates; the machine's by default.
    #[must_use]
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// The port that clients see (`X-Forwarded-Port`); 8000 by default.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Puts it together; within a tokio runtime, which connections to Redis need.
    pub fn build(mut self) -> Result<Gateway, BuildError> {
        let mut balancers = HashMap::new();
        for upstream in &self.config.upstreams {
            let behind = self.upstreams.remove(&upstream.name);
            let behind = behind.ok_or_else(|| BuildError::Missing(upstream.name.clone()))?;
            let peers = peers(upstream, behind)?;
            let balancer = Balancer::new(upstream.name.clone(), peers, upstream.healthchecks.clone());
            balancers.insert(upstream.name.clone(), Arc::new(balancer));
        }
        if let Some(name) = self.upstreams.into_keys().next() {
            return Err(BuildError::Unknown(name));
        }
        let keyring = Arc::new(Keyring::new(&self.config).map_err(BuildError::Plugin)?);
        let mut parts = Parts { keyring: Arc::clone(&keyring), stores: Stores::default(), clock: self.clock };
        let closer = |chain: &Chain, plugins: &[_], scope: String, parts: &mut Parts| {
            chain.closer(plugins, &scope, parts).map_err(BuildError::Plugin)
        };
        let global = closer(&Chain::default(), &self.config.plugins, "global".to_owned(), &mut parts)?;
        let mut services = Vec::new();
        for service in &self.config.services {
            let chain = closer(&global, &service.plugins, format!("service:{}", service.name), &mut parts)?;
            let mut routes = Vec::new();
            for route in &service.routes {
                routes.push(RouteEntry {
                    strip_path: route.strip_path,
                    preserve_host: route.preserve_host,
                    chain: closer(&chain, &route.plugins, format!("route:{}", route.name), &mut parts)?,
                    metrics: Arc::new(RouteMetrics::new(&service.name, &route.name)),
                });
            }
            let balancer =
                balancers.get(&service.host).ok_or_else(|| BuildError::Missing(service.host.clone()))?;
            let proxy = Proxy::new(service, Arc::clone(balancer));
            let base = service.path.clone().unwrap_or_else(|| "/".to_owned());
            services.push(ServiceEntry { base, proxy, routes });
        }
        let balancers = self.config.upstreams.iter().filter_map(|up| balancers.remove(&up.name)).collect();
        let (table, requests) = (Table::new(&self.config), AtomicU64::new(0));
        Ok(Gateway(Arc::new(Inner {
            table,
            global,
            services,
            balancers,
            keyring,
            port: self.port,
            requests,
        })))
    }
}

fn peers(upstream: &config::Upstream, behind: Upstream) -> Result<Vec<Peer>, BuildError> {
    match behind {
        Upstream::Router(router) => {
            let name = upstream.targets.first().unwrap_or(&upstream.name).clone();
            Ok(vec![Peer { name, transport: Transport::Router(router), health: Health::default() }])
        }
        Upstream::Http(bases) => bases.into_iter().map(|base| http_peer(&base)).collect(),
    }
}

fn http_peer(base: &str) -> Result<Peer, BuildError> {
    let wrong = |reason| BuildError::Url { url: base.to_owned(), reason };
    let uri: Uri = base.parse().map_err(|_| wrong("it cannot be read"))?;
    if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("http://host:port is wanted"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?.clone();
    let name = authority.as_str().to_owned();
    Ok(Peer { name, transport: Transport::Http(authority), health: Health::default() })
}
