//! What has arrived, batch by batch, and staying a member of the group while a batch is handled.

use std::{collections::VecDeque, time::Duration};

use futures::FutureExt;
use rdkafka::{
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaResult,
    message::BorrowedMessage,
};

use super::{PAUSE, context::LagContext};

/// Messages of one batch, and about how many bytes.
const MOST: usize = 500;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// A batch that takes longer than this is slow. Who does not poll for minutes is thrown out of the group, and who does
/// not poll at all holds up every rebalance.
const SLOW: Duration = Duration::from_secs(2);

type Kafka = StreamConsumer<LagContext>;

pub(crate) struct Batches<'a> {
    service: &'static str,
    kafka: &'a Kafka,
    /// What came in spite of the pause: partitions that were assigned during it.
    held: VecDeque<BorrowedMessage<'a>>,
    away: bool,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(service: &'static str, kafka: &'a Kafka) -> Self {
        Self { service, kafka, held: VecDeque::new(), away: false }
    }

    /// Waits for a message, and takes those that are there with it.
    pub(crate) async fn next(&mut self) -> Vec<BorrowedMessage<'a>> {
        let first = match self.held.pop_front() {
            Some(message) => message,
            None => self.first().await,
        };
        let mut bytes = first.payload_len();
        let mut batch = vec![first];
        while batch.len() < MOST && bytes < MOST_BYTES {
            let Some(message) = self.at_hand() else { break };
            bytes += message.payload_len();
            batch.push(message);
        }
        batch
    }

    async fn first(&mut self) -> BorrowedMessage<'a> {
        loop {
            let received = self.kafka.recv().await;
            match self.told(received) {
                Some(message) => return message,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn at_hand(&mut self) -> Option<BorrowedMessage<'a>> {
        if let Some(message) = self.held.pop_front() {
            return Some(message);
        }
        let received = self.kafka.recv().now_or_never()?;
        self.told(received)
    }

    /// librdkafka reconnects and resumes by itself, so an error is only told, once.
    fn told(&mut self, received: KafkaResult<BorrowedMessage<'a>>) -> Option<BorrowedMessage<'a>> {
        match received {
            Ok(message) => {
                self.away = false;
                Some(message)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!(service = self.service, %error, "Kafka does not answer; waiting for it");
                }
                None
            }
        }
    }

    /// Does the work. Where it is slow, the partitions are paused and Kafka is polled beside it.
    pub(crate) async fn polling_during<T>(&mut self, work: impl Future<Output = T>) -> KafkaResult<T> {
        tokio::pin!(work);
        if let Ok(done) = tokio::time::timeout(SLOW, &mut work).await {
            return Ok(done);
        }
        tracing::debug!(service = self.service, "a slow batch: its consumer is paused");
        let done = loop {
            self.pause();
            tokio::select! {
                done = &mut work => break done,
                received = self.kafka.recv() => match self.told(received) {
                    Some(message) => self.held.push_back(message),
                    None => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        let mine = self.kafka.assignment()?;
        self.kafka.resume(&mine)?;
        Ok(done)
    }

    /// Again and again, since partitions may be assigned meanwhile; for those that are paused it does nothing.
    fn pause(&self) {
        let paused = self.kafka.assignment().and_then(|mine| self.kafka.pause(&mine));
        if let Err(error) = paused {
            tracing::debug!(service = self.service, %error, "cannot pause");
        }
    }
}
