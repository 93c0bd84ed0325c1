//! Serves a gateway until it is told to stop, then lets running calls end.
//!
//! Clients get connections that do not wait for ever: one that says nothing, or ends its headers too late, is closed.
//! HTTP/1.1 only, as Kong's plain port.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use http::Response;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::gateway::Gateway;

const DRAIN: Duration = Duration::from_secs(20);
/// From the connection, or the call before, to the end of a call's headers; nginx keeps idle connections as long.
const PATIENCE: Duration = Duration::from_secs(75);
/// Before the next attempt, where there is no file descriptor left for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves clients on `listener` and operators on `status`, and probes targets, until `shutdown`; then drains for at most
/// 20 s.
pub async fn serve(
    gateway: &Gateway,
    listener: TcpListener,
    status: TcpListener,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let clients = accept(listener, gateway.router(), PATIENCE, shutdown.clone());
    let operators = axum::serve(status, gateway.status_router());
    let operators = operators.with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let watch = gateway.watch(shutdown.clone());
    tokio::select! {
        ((), operators, ()) = async { tokio::join!(clients, operators, watch) } => operators,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some calls did not end in time");
            Ok(())
        }
    }
}

/// Takes connections until `shutdown`, then waits for those that are open.
async fn accept(listener: TcpListener, router: Router, patience: Duration, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                connections.spawn(connection(stream, client, router.clone(), patience, shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    patience: Duration,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| answer(router.clone(), client, request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(
    router: Router,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(client));
    router.oneshot(request).await
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start(patience: Duration) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let whom = async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string();
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "late"
        };
        let router = Router::new().route("/", get(whom)).route("/slow", get(slow));
        (address, stop.clone(), tokio::spawn(accept(listener, router, patience, stop)))
    }

    /// What comes after `sent` until the other side closes.
    async fn told(address: SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut read = String::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut read)).await;
        closed.expect("it is closed").unwrap();
        read
    }

    #[tokio::test]
    async fn a_client_that_stands_still_is_left() {
        let (address, _stop, _server) = start(Duration::from_millis(100)).await;
        assert!(!told(address, "").await.contains("200"));
        assert!(!told(address, "GET / HTTP/1.1\r\nHost: a\r\n").await.contains("200"));
        let answered = told(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answered.starts_with("HTTP/1.1 200") && answered.ends_with("127.0.0.1"), "{answered}");
    }

    #[tokio::test]
    async fn a_running_call_ends_after_the_stop() {
        let (address, stop, server) = start(Duration::from_mins(1)).await;
        let call = tokio::spawn(told(address, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        assert!(call.await.unwrap().ends_with("late"));
        tokio::time::timeout(Duration::from_secs(5), server).await.expect("it ends").unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
