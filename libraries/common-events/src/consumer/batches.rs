//! What has arrived, batch by batch, and staying a member of the group while a batch is handled.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures::FutureExt;
use rdkafka::{
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
    types::RDKafkaErrorCode,
};

use super::{PAUSE, context::LagContext};

/// Messages of one batch, and about how many bytes.
const MOST: usize = 500;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Batches that are not full begin this far apart at the least: under a steady stream more events share a commit, and one that comes
/// alone waits for nothing.
const PACE: Duration = Duration::from_millis(20);
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
    /// When the last batch began, if it was not full.
    paced: Option<Instant>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(service: &'static str, kafka: &'a Kafka) -> Self {
        Self { service, kafka, held: VecDeque::new(), away: false, paced: None }
    }

    /// Waits for a message, and takes those that are there with it.
    /// An error is one that Kafka's client does not recover from.
    pub(crate) async fn next(&mut self) -> KafkaResult<Vec<BorrowedMessage<'a>>> {
        let first = match self.held.pop_front() {
            Some(message) => message,
            None => self.first().await?,
        };
        if let Some(last) = self.paced {
            tokio::time::sleep(PACE.saturating_sub(last.elapsed())).await;
        }
        let begun = Instant::now();
        let mut bytes = first.payload_len();
        let mut batch = vec![first];
        while batch.len() < MOST && bytes < MOST_BYTES {
            let Some(message) = self.at_hand()? else { break };
            bytes += message.payload_len();
            batch.push(message);
        }
        self.paced = (batch.len() < MOST).then_some(begun);
        self.kafka.context().begin(&batch);
        Ok(batch)
    }

    async fn first(&mut self) -> KafkaResult<BorrowedMessage<'a>> {
        loop {
            let received = self.kafka.recv().await;
            match self.told(received)? {
                Some(message) => return Ok(message),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn at_hand(&mut self) -> KafkaResult<Option<BorrowedMessage<'a>>> {
        if let Some(message) = self.held.pop_front() {
            return Ok(Some(message));
        }
        let Some(received) = self.kafka.recv().now_or_never() else { return Ok(None) };
        self.told(received)
    }

    /// librdkafka reconnects and resumes by itself, so most errors are only told, once. After a fatal one, such as another process
    /// with the same name in the group, a client takes part in nothing any more.
    fn told(
        &mut self,
        received: KafkaResult<BorrowedMessage<'a>>,
    ) -> KafkaResult<Option<BorrowedMessage<'a>>> {
        match received {
            Ok(message) => {
                self.away = false;
                Ok(Some(message))
            }
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => Err(error),
            Err(KafkaError::MessageConsumption(code @ RDKafkaErrorCode::Fatal)) => {
                Err(KafkaError::MessageConsumptionFatal(code))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!(service = self.service, %error, "Kafka does not answer; waiting for it");
                }
                Ok(None)
            }
        }
    }

    /// Does the work on a batch.
    pub(crate) async fn polling_during<T>(&mut self, work: impl Future<Output = T>) -> KafkaResult<T> {
        let done = self.paused_where_slow(work).await;
        self.kafka.context().end();
        done
    }

    /// Where the work is slow, the partitions are paused and Kafka is polled beside it.
    async fn paused_where_slow<T>(&mut self, work: impl Future<Output = T>) -> KafkaResult<T> {
        tokio::pin!(work);
        if let Ok(done) = tokio::time::timeout(SLOW, &mut work).await {
            return Ok(done);
        }
        tracing::debug!(service = self.service, "a slow batch: its consumer is paused");
        let done = loop {
            self.pause();
            tokio::select! {
                done = &mut work => break done,
                received = self.kafka.recv() => match self.told(received)? {
                    Some(message) => self.held.push_back(message),
                    None => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        let mine = self.kafka.assignment()?;
        self.kafka.resume(&mine)?;
        Ok(done)
    }

    /// Again after each message that comes in spite of it: partitions that are assigned meanwhile are not paused yet.
    fn pause(&self) {
        let paused = self.kafka.assignment().and_then(|mine| self.kafka.pause(&mine));
        if let Err(error) = paused {
            tracing::debug!(service = self.service, %error, "cannot pause");
        }
    }
}
