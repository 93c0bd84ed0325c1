//! The targets of an upstream: taken in turn, those that are down left out.

mod health;
pub(crate) mod probe;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::Router;
use http::uri::Authority;

pub(crate) use self::health::{Health, Sign, Thresholds};
use crate::config::HealthChecks;

/// How a target is reached.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    /// In this process. It cannot be down while we are up, so it is not checked.
    Router(Router),
    Http(Authority),
}

#[derive(Debug)]
pub(crate) struct Peer {
    /// `host:port`, as metrics and the `Host` header say it.
    pub(crate) name: String,
    pub(crate) transport: Transport,
    pub(crate) health: Health,
}

impl Peer {
    pub(crate) fn is_checked(&self) -> bool {
        matches!(self.transport, Transport::Http(_))
    }
}

#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) name: String,
    pub(crate) peers: Vec<Arc<Peer>>,
    pub(crate) checks: HealthChecks,
    turn: AtomicUsize,
}

impl Balancer {
    pub(crate) fn new(name: String, peers: Vec<Peer>, checks: HealthChecks) -> Self {
        let peers = peers.into_iter().map(Arc::new).collect();
        Self { name, peers, checks, turn: AtomicUsize::new(0) }
    }

    /// The next target that is up.
    pub(crate) fn pick(&self) -> Option<&Arc<Peer>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.peers.len();
        (0..count)
            .filter_map(|step| self.peers.get(first.wrapping_add(step) % count))
            .find(|peer| peer.health.is_up())
    }

    /// Takes note of what a call met.
    pub(crate) fn learn(&self, peer: &Peer, sign: Sign) {
        let passive = &self.checks.passive;
        let thresholds = Thresholds {
            successes: passive.healthy.successes,
            tcp_failures: passive.unhealthy.tcp_failures,
            timeouts: passive.unhealthy.timeouts,
            http_failures: passive.unhealthy.http_failures,
        };
        self.note(peer, sign, &thresholds);
    }

    /// The sign that a call's status is, if it is one.
    pub(crate) fn read_status(&self, status: u16) -> Option<Sign> {
        let passive = &self.checks.passive;
        Sign::of_status(status, &passive.healthy.http_statuses, &passive.unhealthy.http_statuses)
    }

    fn note(&self, peer: &Peer, sign: Sign, thresholds: &Thresholds) {
        if !peer.is_checked() {
            return;
        }
        match peer.health.note(sign, thresholds) {
            Some(true) => tracing::info!(upstream = self.name, peer = peer.name, "the target is up again"),
            Some(false) => {
                tracing::warn!(upstream = self.name, peer = peer.name, ?sign, "the target is down");
            }
            None => {}
        }
    }
}
