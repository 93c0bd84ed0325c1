//! What runs in the background of a service: its relay, its consumers, its own workers. They stop together, with the
//! process or with the service whose they are. A relay or consumer that fails is started again; a worker of the
//! service's own sees to that itself.

use std::{future::Future, time::Duration};

use common_db::{DbConfig, PgPool, pool};
use common_utils::telemetry::metrics;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Consumer, KafkaConfig, dlq::Collector, relay::Relay};

const RESTART: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Workers {
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Workers {
    /// They end with `shutdown`, or sooner when they are drained.
    pub fn new(shutdown: &CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), shutdown: shutdown.child_token() }
    }

    /// Runs a worker that ends by itself when the token is cancelled.
    pub fn spawn<F>(&self, worker: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(worker(self.shutdown.clone()));
    }

    /// What runs in every service: its relay, the gauges of its pool, the upkeep of its metrics.
    pub fn common(&self, service: &'static str, pool: &PgPool, database: &DbConfig, kafka: &KafkaConfig) {
        let (pool, database, kafka) = (pool.clone(), database.clone(), kafka.clone());
        let gauged = pool.clone();
        self.relay(Relay { service, pool, database, kafka });
        self.spawn(|shutdown| pool::watch(service, gauged, shutdown));
        self.spawn(|shutdown| async move {
            shutdown.run_until_cancelled(metrics::upkeep()).await;
        });
    }

    pub fn relay(&self, relay: Relay) {
        self.spawn(|shutdown| relay.run(shutdown));
    }

    /// Runs a consumer, and again after a failure of its Kafka client.
    pub fn consumer(&self, consumer: Consumer) {
        self.spawn(|shutdown| async move {
            while let Err(error) = consumer.run(shutdown.clone()).await {
                if !starts_over(consumer.group, &error, &shutdown).await {
                    return;
                }
            }
        });
    }

    /// Runs a collector of dead letters, in the same way.
    pub fn collector(&self, collector: Collector) {
        self.spawn(|shutdown| async move {
            while let Err(error) = collector.run(shutdown.clone()).await {
                if !starts_over(collector.group, &error, &shutdown).await {
                    return;
                }
            }
        });
    }

    /// Tells all workers to end, and waits for them. So they end too where serving fails and nobody says `shutdown`.
    pub async fn drained(self) {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some workers did not end in time");
        }
    }
}

/// Waits a moment; false when it is over.
async fn starts_over(group: &str, error: &anyhow::Error, shutdown: &CancellationToken) -> bool {
    tracing::error!(group, error = format!("{error:#}"), "a consumer starts over");
    shutdown.run_until_cancelled(tokio::time::sleep(RESTART)).await.is_some()
}
