//! Serves a router on a listener until it is told to stop, then lets running requests end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, serve::ListenerExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Routes, docs, health, measured, with_context};
use crate::telemetry::metrics as metrics_page;

const BODY_LIMIT: usize = 1024 * 1024;
const DRAIN: Duration = Duration::from_secs(20);

/// Puts a service's API together with what every service has: health, metrics, contract, layers. Each route of
/// the API says who may call it; what every service has is open to whoever reaches the service.
pub fn service_router(
    service: &'static str,
    api: Routes,
    openapi: utoipa::openapi::OpenApi,
    checks: Vec<Box<dyn health::Check>>,
) -> Router {
    let router = api
        .into_router()
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .merge(health::router(Arc::new(checks)))
        .merge(docs::router(openapi))
        .merge(metrics_page::router(service));
    with_context(measured(router, service))
}

/// Serves until `shutdown`, then drains for at most 20 s.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> anyhow::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    // Made once: a plain router is copied as a whole, handlers and layers, for every connection.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let drained = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        result = drained => result?,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some requests did not end in time");
        }
    }
    Ok(())
}
