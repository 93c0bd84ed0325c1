//! What runs in the background of a service: its relay, its consumers, its own workers. They stop together with the
//! process. A relay or consumer that fails is started again; a worker of the service's own sees to that itself.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Consumer, relay::Relay};

const RESTART: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Workers {
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Workers {
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), shutdown }
    }

    /// Runs a worker that ends by itself when the token is cancelled.
    pub fn spawn<F>(&self, worker: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(worker(self.shutdown.clone()));
    }

    pub fn relay(&self, relay: Relay) {
        self.spawn(|shutdown| relay.run(shutdown));
    }

    /// Runs a consumer, and again after a failure of its Kafka client.
    pub fn consumer(&self, consumer: Consumer) {
        self.spawn(|shutdown| async move {
            while let Err(error) = consumer.run(shutdown.clone()).await {
                tracing::error!(
                    group = consumer.group,
                    error = format!("{error:#}"),
                    "a consumer starts over"
                );
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(RESTART) => {}
                }
            }
        });
    }

    /// Waits for all workers to end, which they do once the token is cancelled.
    pub async fn drained(self) {
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some workers did not end in time");
        }
    }
}
