//! Messages to people, by e-mail and SMS.
//!
//! Steps: the transaction that has a reason to write somebody writes the message too, encrypted → after the commit a worker
//! is woken, takes it under a lease, and hands it to its transport, with no transaction open → it is sent, or due again after a
//! pause, or given up when what it says has expired; then its text is erased. So a message goes out when its reason was
//! committed and not otherwise, at least once, and no request waits for a mail server. Neither texts nor recipients are logged.

pub mod config;
pub(crate) mod entity;
mod mailbox;
mod metrics;
mod repo;
mod sms;
mod smtp;
mod texts;
mod transport;
mod worker;

use std::{path::Path, sync::Arc};

use common_db::{Op, PgPool};
use common_utils::{
    clock::SharedClock,
    correlation,
    crypto::sealing::{KeyFile, SealError, Sealer},
    ids,
};
use tokio::sync::Notify;
use uuid::Uuid;
use zeroize::Zeroizing;

pub(crate) use self::metrics::{register, watch};
use self::{
    config::NoticeConfig,
    entity::{Channel, Content, Message},
    transport::{Transport, Transports},
};

const PURPOSE: &str = "wallet-platform/notices/v1";

#[derive(Debug, thiserror::Error)]
pub(crate) enum NoticeError {
    #[error("a message cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("a message cannot be encrypted or read: {0}")]
    Sealing(#[from] SealError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What use cases and workers share.
#[derive(Debug, Clone)]
pub(crate) struct Notices {
    pool: PgPool,
    clock: SharedClock,
    /// Shared, because it is large and a state is cloned for each request.
    sealer: Arc<Sealer>,
    transports: Transports,
    sms_an_hour: u32,
    wake: Arc<[Notify; Channel::ALL.len()]>,
}

impl Notices {
    pub(crate) fn new(
        pool: PgPool,
        clock: SharedClock,
        key: &KeyFile,
        config: &NoticeConfig,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            pool,
            clock,
            sealer: Arc::new(Sealer::new(key, PURPOSE)?),
            transports: Transports::new(config)?,
            sms_an_hour: config.sms_an_hour,
            wake: Arc::default(),
        })
    }

    /// Goes out with the transaction's commit. Call [`Notices::wake`] after it; else a worker finds it a moment later.
    pub(crate) async fn write_in_op(&self, op: &mut Op, messages: &[Message]) -> Result<(), NoticeError> {
        let now = self.clock.now();
        let correlation_id = correlation::current();
        let mut rows = Vec::with_capacity(messages.len());
        for message in messages {
            let id = ids::new_id();
            let content = Zeroizing::new(serde_json::to_vec(&message.content)?);
            let sealed = self.sealer.seal(id.as_bytes(), &content)?;
            rows.push(repo::NewNotice { id, message, sealed });
        }
        Ok(repo::insert_in_op(op, &rows, &correlation_id, now).await?)
    }

    /// Says that something was committed.
    pub(crate) fn wake(&self) {
        for channel in self.wake.iter() {
            channel.notify_one();
        }
    }

    fn woken(&self, channel: Channel) -> &Notify {
        match channel {
            Channel::Email => &self.wake[0],
            Channel::Sms => &self.wake[1],
        }
    }

    fn transport(&self, channel: Channel) -> &dyn Transport {
        match channel {
            Channel::Email => &*self.transports.email,
            Channel::Sms => &*self.transports.sms,
        }
    }

    fn open(&self, id: Uuid, sealed: &[u8]) -> Result<Content, NoticeError> {
        Ok(serde_json::from_slice(&self.sealer.open(id.as_bytes(), sealed)?)?)
    }
}

/// The key file of what lies here only for a while: codes and messages. Losing it costs no more than those.
pub(crate) fn key(keys_dir: &Path) -> anyhow::Result<KeyFile> {
    KeyFile::load_or_create(&keys_dir.join("contacts.key"))
}
