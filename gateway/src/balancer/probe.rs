//! Active checks: asks each target whether it lives, at the interval of the state that it is in.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;
use tokio_util::sync::CancellationToken;

use super::{Balancer, Peer, Sign, Thresholds, Transport};
use crate::proxy::{Client, new_client};

/// Probes all targets of an upstream until the gateway stops.
pub(crate) async fn watch(balancer: Arc<Balancer>, shutdown: CancellationToken) {
    let watches =
        balancer.peers.iter().filter(|peer| peer.is_checked()).map(|peer| watch_peer(&balancer, peer));
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = futures::future::join_all(watches) => {}
    }
}

async fn watch_peer(balancer: &Balancer, peer: &Peer) {
    let active = &balancer.checks.active;
    let client = new_client(Duration::from_secs(active.timeout));
    // Kong looks at both intervals every so often; one that is 0 is asked for again when the state has changed.
    let idle = active.healthy.interval.max(active.unhealthy.interval);
    if idle == 0 {
        return;
    }
    loop {
        let up = peer.health.is_up();
        let interval = if up { active.healthy.interval } else { active.unhealthy.interval };
        tokio::time::sleep(Duration::from_secs(if interval == 0 { idle } else { interval })).await;
        if interval > 0 {
            probe(balancer, peer, &client).await;
        }
    }
}

/// One probe of each target.
pub(crate) async fn once(balancer: &Balancer) {
    let client = new_client(Duration::from_secs(balancer.checks.active.timeout));
    for peer in &balancer.peers {
        probe(balancer, peer, &client).await;
    }
}

async fn probe(balancer: &Balancer, peer: &Peer, client: &Client) {
    let active = &balancer.checks.active;
    let Transport::Http(authority) = &peer.transport else { return };
    let request = Request::get(format!("http://{authority}{}", active.http_path)).body(Body::empty());
    let Ok(request) = request else { return };
    let answer = tokio::time::timeout(Duration::from_secs(active.timeout), client.request(request)).await;
    let sign = match answer {
        Err(_) => Some(Sign::Timeout),
        Ok(Err(_)) => Some(Sign::TcpFailure),
        Ok(Ok(answer)) => {
            let status = answer.status().as_u16();
            Sign::of_status(status, &active.healthy.http_statuses, &active.unhealthy.http_statuses)
        }
    };
    let thresholds = Thresholds {
        successes: active.healthy.successes,
        tcp_failures: active.unhealthy.tcp_failures,
        timeouts: active.unhealthy.timeouts,
        http_failures: active.unhealthy.http_failures,
    };
    if let Some(sign) = sign {
        balancer.note(peer, sign, &thresholds);
    }
}
