//! Serves a gateway until it is told to stop, then lets running calls end.

use std::{net::SocketAddr, time::Duration};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;

const DRAIN: Duration = Duration::from_secs(20);

/// Serves clients on `listener` and operators on `status`, and probes targets, until `shutdown`; then drains for at most
/// 20 s.
pub async fn serve(
    gateway: &Gateway,
    listener: TcpListener,
    status: TcpListener,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let clients = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
    let clients = axum::serve(listener, clients).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let operators = axum::serve(status, gateway.status_router());
    let operators = operators.with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let watch = gateway.watch(shutdown.clone());
    tokio::select! {
        (clients, operators, ()) = async { tokio::join!(clients, operators, watch) } => clients.and(operators),
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some calls did not end in time");
            Ok(())
        }
    }
}
