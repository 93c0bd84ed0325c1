//! The way of a call through the gateway:
//! clean the path → find the route → plugins → the service → headers for the client → numbers.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    routing::get,
};
use http::{Response, StatusCode, header};
use tokio_util::sync::CancellationToken;

use crate::{
    answers::NO_ROUTE,
    balancer::{Balancer, probe},
    builder::Builder,
    call::Call,
    config::Config,
    finish,
    metrics::{self, RouteMetrics},
    path,
    plugins::{Chain, Step, jwt::Keyring},
    proxy::{Forwarding, Outcome, Proxy, Sent},
    routing::{Match, Table, upstream_path},
};

#[derive(Debug)]
pub(crate) struct RouteEntry {
    pub(crate) strip_path: bool,
    pub(crate) preserve_host: bool,
    pub(crate) chain: Chain,
    pub(crate) metrics: Arc<RouteMetrics>,
}

#[derive(Debug)]
pub(crate) struct ServiceEntry {
    /// Prefixed to each path.
    pub(crate) base: String,
    pub(crate) proxy: Proxy,
    pub(crate) routes: Vec<RouteEntry>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) table: Table,
    pub(crate) global: Chain,
    pub(crate) services: Vec<ServiceEntry>,
    pub(crate) balancers: Vec<Arc<Balancer>>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) port: u16,
    pub(crate) requests: AtomicU64,
}

/// The gateway. Clones are the same gateway.
#[derive(Debug, Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

impl Gateway {
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// What clients talk to. Has to be served with `ConnectInfo<SocketAddr>`; [`crate::serve`] does.
    pub fn router(&self) -> Router {
        let handle = async |State(gateway): State<Self>,
                            ConnectInfo(client): ConnectInfo<SocketAddr>,
                            request| { gateway.handle(client, request).await };
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// `/metrics` and `/status`, for operators: a listener of its own, as Kong's status API.
    pub fn status_router(&self) -> Router {
        let metrics = self.clone();
        let page = async move || ([(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], metrics.metrics());
        let status = async || axum::Json(serde_json::json!({"server": {"name": "gateway"}}));
        Router::new().route("/metrics", get(page)).route("/status", get(status))
    }

    /// The page of numbers.
    pub fn metrics(&self) -> String {
        let routes: Vec<_> = self.0.services.iter().flat_map(|service| &service.routes).collect();
        let routes: Vec<_> = routes.iter().map(|route| route.metrics.as_ref()).collect();
        let shown = self.0.global.prometheus.is_some_and(|config| config.upstream_health_metrics);
        let balancers: Vec<_> = self.0.balancers.iter().filter(|_| shown).map(Arc::as_ref).collect();
        metrics::page(self.0.requests.load(Ordering::Relaxed), &routes, &balancers)
    }

    /// Probes targets, as the file says, until `shutdown`.
    pub async fn watch(&self, shutdown: CancellationToken) {
        let watches =
            self.0.balancers.iter().map(|balancer| probe::watch(Arc::clone(balancer), shutdown.clone()));
        futures::future::join_all(watches).await;
    }

    /// Verifies tokens with the credentials of `config` from now on. All else that it says is left as it was read at first.
    pub fn replace_keys(&self, config: &Config) -> Result<(), String> {
        self.0.keyring.replace(config)
    }

    /// Probes every target once, now.
    pub async fn probe(&self) {
        for balancer in &self.0.balancers {
            probe::once(balancer).await;
        }
    }

    /// Answers one call of `client`.
    pub async fn handle(&self, client: SocketAddr, mut request: Request) -> Response<Body> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let mut call = Call::new(client, request.method(), request.headers());
        let ingress = finish::head_size(&request);
        let twice = request.headers().get_all(header::AUTHORIZATION).iter().nth(1).is_some();
        let (Ok(path), false) = (path::normalize(request.uri().path()), twice) else {
            // nginx lets neither through to Kong.
            self.0.global.unrouted(&mut call, request.headers_mut());
            let response = call.reader.unreached(StatusCode::BAD_REQUEST);
            return finish::own(&call, &self.0.global, response);
        };
        self.0.global.rewrite(request.headers_mut());
        let Some((service, route, found)) = self.find(&path) else {
            self.0.global.unrouted(&mut call, request.headers_mut());
            let response = call.reader.error(StatusCode::NOT_FOUND, NO_ROUTE);
            return finish::own(&call, &self.0.global, response);
        };
        let sent = Arc::new(Sent::default());
        let outcome = self.pass(&mut call, request, &path, (service, route, found), &sent).await;
        let (upstream, served) = match &outcome {
            ControlFlow::Continue(outcome) => (Some(outcome.waited), outcome.served),
            ControlFlow::Break(_) => (None, false),
        };
        let response = match outcome {
            ControlFlow::Continue(outcome) => finish::proxied(&call, &route.chain, outcome),
            ControlFlow::Break(response) => finish::own(&call, &route.chain, response),
        };
        let Some(prometheus) = route.chain.prometheus else { return response };
        let numbers = finish::Numbers { started: call.started, ingress, sent, upstream, served };
        finish::measured(response, route, prometheus, service.proxy.read_timeout, numbers)
    }

    fn find(&self, path: &str) -> Option<(&ServiceEntry, &RouteEntry, Match)> {
        let found = self.0.table.find(path)?;
        let service = self.0.services.get(found.service)?;
        Some((service, service.routes.get(found.route)?, found))
    }

    /// Plugins, then the service.
    async fn pass(
        &self,
        call: &mut Call,
        request: Request,
        path: &str,
        (service, route, found): (&ServiceEntry, &RouteEntry, Match),
        sent: &Arc<Sent>,
    ) -> Step<Outcome> {
        let request = route.chain.access(call, request).await?;
        call.plugins_done = call.started.elapsed();
        let taken = route.strip_path.then_some(found.taken);
        let mut target = path::escape(&upstream_path(&service.base, path, taken));
        if let Some(query) = request.uri().query() {
            target = format!("{target}?{query}");
        }
        let uri = request.uri().clone();
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or(uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned();
        let forwarding = Forwarding {
            host: without_port(&host),
            port: self.0.port,
            path: uri.path(),
            prefix: taken.and_then(|taken| path.get(..taken)),
            preserve_host: route.preserve_host,
        };
        service.proxy.send(call, request, &target, &forwarding, sent).await
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
