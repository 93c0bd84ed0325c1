//! Webhooks for integrators, after Standard Webhooks 1.0.0: the events of the platform, sent to endpoints that staff register.
//!
//! An event becomes a message and a delivery for each endpoint that wants it, in the transaction of the inbox (`intake.rs`).
//! A worker takes what is due under a lease, sends it (`sending.rs`, `sender.rs`), and writes down what came of it
//! (`recording.rs`): delivered, due again later, or failed. So an event arrives at least once, under one id. What staff do is
//! an event, and by that in the audit log. Secrets are stored encrypted and shown to who makes them.

mod address;
mod delivery;
mod endpoints;
mod entity;
mod error;
mod events;
mod intake;
mod metrics;
mod recording;
mod repo;
mod resending;
pub(crate) mod routes;
pub(crate) mod routes_deliveries;
mod sender;
mod sending;
mod signing;
mod subscription;
mod testing;
mod upkeep;
mod view;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use common_db::PgPool;
use common_utils::clock::SharedClock;
use tokio::sync::{Notify, Semaphore};

pub use self::intake::WebhookEvents;
use self::{address::Addresses, sender::Sender, signing::SecretKeys};
pub(crate) use self::{
    metrics::{register, watch},
    sending::send,
    upkeep::keep_tidy,
};
use crate::config::WebhookConfig;

/// Tests that staff wait for at the same time.
const TESTS: usize = 8;

/// What handlers and workers share.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    keys: SecretKeys,
    addresses: Addresses,
    sender: Sender,
    /// Says that something is due.
    pub(crate) wake: Arc<Notify>,
    tests: Arc<Semaphore>,
}

impl Webhooks {
    pub(crate) fn new(config: &WebhookConfig, keys_dir: &Path, clock: SharedClock) -> anyhow::Result<Self> {
        let addresses = Addresses { allow_private: config.allow_private };
        Ok(Self {
            keys: SecretKeys::load_or_create(keys_dir)?,
            addresses,
            sender: Sender::new(addresses, config.timeout, clock)?,
            wake: Arc::default(),
            tests: Arc::new(Semaphore::new(TESTS)),
        })
    }
}

/// Fails when the key in `keys_dir` is not the one that the stored secrets are encrypted with.
pub(crate) async fn require_key(pool: &PgPool, keys_dir: &Path) -> anyhow::Result<()> {
    let stored = repo::secrets::key_ids(pool).await.context("cannot tell which key is in use")?;
    SecretKeys::require(keys_dir, &stored)
}
