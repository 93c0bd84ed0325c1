//! The running twin: its book, its file, and the work it does in the background.
//!
//! A change goes through [`Twin::change`]: the book is locked and decided without waiting, then the file is written
//! before anyone is answered. Changes that arrive while the file is being written share the next write.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    book::Book,
    config::Config,
    error::Refusal,
    kyc::{FirstAsked, Records},
    messages::Mailbox,
    store,
    transit::Versions,
};

/// Webhooks on their way at the same time.
const SENDERS: usize = 64;

#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) config: Config,
    book: Mutex<Versioned>,
    /// The version of the book that its file holds.
    saved: tokio::sync::Mutex<u64>,
    /// Set by the fault control: every provider call answers 503.
    pub(crate) down: AtomicBool,
    pub(crate) kyc_asked: FirstAsked,
    pub(crate) kyc_records: Records,
    pub(crate) nin_asked: FirstAsked,
    pub(crate) mailbox: Mailbox,
    pub(crate) transit: Versions,
    pub(crate) http: reqwest::Client,
    pub(crate) senders: Semaphore,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

#[derive(Debug)]
struct Versioned {
    book: Book,
    version: u64,
}

impl Twin {
    pub(crate) fn open(config: Config, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let book = config.data_file.as_deref().map_or_else(|| Ok(Book::default()), store::load)?;
        let http = reqwest::Client::builder()
            .timeout(config.redelivery.deadline)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot make the webhook client")?;
        Ok(Arc::new(Self {
            config,
            book: Mutex::new(Versioned { book, version: 0 }),
            saved: tokio::sync::Mutex::new(0),
            down: AtomicBool::new(false),
            kyc_asked: FirstAsked::default(),
            kyc_records: Records::default(),
            nin_asked: FirstAsked::default(),
            mailbox: Mailbox::default(),
            transit: Versions::default(),
            http,
            senders: Semaphore::new(SENDERS),
            tasks: TaskTracker::new(),
            stop,
        }))
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.config.clock.now()
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.locked().book)
    }

    /// Changes the book. `decide` must leave it as it was when it refuses.
    pub(crate) async fn change<T>(
        &self,
        decide: impl FnOnce(&mut Book) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (outcome, version) = {
            let mut locked = self.locked();
            let outcome = decide(&mut locked.book)?;
            locked.version += 1;
            (outcome, locked.version)
        };
        self.save_up_to(version).await.map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "the book could not be written");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong.")
        })?;
        Ok(outcome)
    }

    /// Waits until the file holds this version. Whoever gets the lock first writes for all who wait.
    async fn save_up_to(&self, version: u64) -> anyhow::Result<()> {
        let Some(path) = self.config.data_file.clone() else { return Ok(()) };
        let mut saved = self.saved.lock().await;
        if *saved >= version {
            return Ok(());
        }
        let (bytes, written) = {
            let locked = self.locked();
            (serde_json::to_vec(&locked.book)?, locked.version)
        };
        tokio::task::spawn_blocking(move || store::save(&path, &bytes)).await??;
        *saved = written;
        Ok(())
    }

    /// Ends the work in the background and writes what a hung-up caller may have left unwritten.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let version = self.locked().version;
        self.save_up_to(version).await
    }

    fn locked(&self) -> MutexGuard<'_, Versioned> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
