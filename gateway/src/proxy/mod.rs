//! Hands a call to its service: in this process, or over HTTP.
//!
//! Retries are Kong's: what failed to connect, broke off or timed out is sent again up to `retries` times if the
//! method may be repeated and the call has no body; everything else goes once. A status is never a reason to retry.

mod body;
mod headers;

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::ConnectInfo,
};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tower::ServiceExt;

use self::body::Activity;
pub(crate) use self::{
    body::{CLIENT_PAUSE, Counted, Event, Sent},
    headers::{Forwarding, REQUEST_ID, clean_response},
};
use crate::{
    answers::NO_PEER,
    balancer::{Balancer, Peer, Sign, Transport},
    call::Call,
    config::Service,
    plugins::Step,
};

pub(crate) type Client = legacy::Client<HttpConnector, Body>;

const KEPT_CONNECTIONS: usize = 512;
const KEPT_IDLE: Duration = Duration::from_mins(1);

pub(crate) fn new_client(connect_timeout: Duration) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT_IDLE)
        .pool_max_idle_per_host(KEPT_CONNECTIONS)
        .build(connector)
}

/// Where a service's calls go.
#[derive(Debug)]
pub(crate) struct Proxy {
    balancer: Arc<Balancer>,
    client: Client,
    retries: u32,
    write_timeout: Duration,
    pub(crate) read_timeout: Duration,
}

/// What came of a call, and how long the service took.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) response: Response<Body>,
    pub(crate) waited: Duration,
    /// The service's own answer, not ours about it.
    pub(crate) served: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy)]
enum Broken {
    Connection,
    Silent,
    /// The client's body ended early.
    Client,
}

impl Proxy {
    pub(crate) fn new(service: &Service, balancer: Arc<Balancer>) -> Self {
        Self {
            balancer,
            client: new_client(Duration::from_millis(service.connect_timeout)),
            retries: service.retries,
            write_timeout: Duration::from_millis(service.write_timeout),
            read_timeout: Duration::from_millis(service.read_timeout),
        }
    }

    /// Where no target is up, the call ends before it is sent.
    pub(crate) async fn send(
        &self,
        call: &Call,
        request: Request<Body>,
        path: &str,
        forwarding: &Forwarding<'_>,
        sent: &Arc<Sent>,
    ) -> Step<Outcome> {
        let Some(mut peer) = self.balancer.pick() else {
            return ControlFlow::Break(call.reader.error(StatusCode::SERVICE_UNAVAILABLE, NO_PEER));
        };
        let began = Instant::now();
        let repeatable = request.body().is_end_stream()
            && matches!(
                *request.method(),
                Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS
            );
        let mut left = if repeatable { self.retries } else { 0 };
        let (mut parts, mut body) = request.into_parts();
        headers::forward(&mut parts.headers, call, forwarding);
        loop {
            let mut again = Request::new(std::mem::take(&mut body));
            *again.method_mut() = parts.method.clone();
            *again.headers_mut() =
                if left == 0 { std::mem::take(&mut parts.headers) } else { parts.headers.clone() };
            // A service in this process finds it where its own server would have put it.
            again.extensions_mut().insert(ConnectInfo(call.client));
            let tried = self.attempt(peer, again, path, sent).await;
            let status = match tried {
                Ok(response) => {
                    return ControlFlow::Continue(Outcome {
                        response,
                        waited: began.elapsed(),
                        served: true,
                    });
                }
                Err(broken) => self.learn_broken(peer, broken),
            };
            let failed = |status| {
                let response = call.reader.unreached(status);
                ControlFlow::Continue(Outcome { response, waited: began.elapsed(), served: false })
            };
            if left == 0 {
                return failed(status);
            }
            left -= 1;
            match self.balancer.pick() {
                Some(next) => peer = next,
                None => return failed(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
    }

    async fn attempt(
        &self,
        peer: &Peer,
        mut request: Request<Body>,
        path: &str,
        sent: &Arc<Sent>,
    ) -> Result<Response<Body>, Broken> {
        headers::set_host(request.headers_mut(), peer);
        let activity = Arc::new(Activity::default());
        if request.body().is_end_stream() {
            activity.complete();
        } else {
            request = request.map(|body| activity.watch(body, sent));
        }
        let (write, read) = (self.write_timeout, self.read_timeout);
        let response = match &peer.transport {
            Transport::Router(router) => {
                *request.uri_mut() = path.parse().map_err(|_| Broken::Connection)?;
                let served = router.clone().oneshot(request);
                let response = activity.deadline(write, read, served).await.ok_or(Broken::Silent)?;
                response.map_err(|never| match never {})?
            }
            Transport::Http(authority) => {
                let uri: Result<Uri, _> = format!("http://{authority}{path}").parse();
                *request.uri_mut() = uri.map_err(|_| Broken::Connection)?;
                let served = self.client.request(request);
                let response = activity.deadline(write, read, served).await.ok_or(Broken::Silent)?;
                let response = response.map_err(|error| {
                    tracing::debug!(peer = peer.name, %error, "the call broke");
                    match () {
                        () if activity.is_broken() => Broken::Client,
                        () if is_timeout(&error) => Broken::Silent,
                        () => Broken::Connection,
                    }
                })?;
                response.map(Body::new)
            }
        };
        if let Some(sign) = self.balancer.read_status(response.status().as_u16()) {
            self.balancer.learn(peer, sign);
        }
        Ok(response)
    }

    fn learn_broken(&self, peer: &Peer, broken: Broken) -> StatusCode {
        let (sign, status) = match broken {
            Broken::Connection => (Sign::TcpFailure, StatusCode::BAD_GATEWAY),
            Broken::Silent => (Sign::Timeout, StatusCode::GATEWAY_TIMEOUT),
            Broken::Client => return StatusCode::BAD_REQUEST,
        };
        self.balancer.learn(peer, sign);
        status
    }
}

/// Connecting took too long.
fn is_timeout(error: &legacy::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
        {
            return true;
        }
        source = error.source();
    }
    false
}
