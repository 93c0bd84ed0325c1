//! The relay publishes what is in the outbox, in order, and marks it.
//!
//! One relay a database: it holds an advisory lock on a connection of its own, and does all its work on that
//! connection, so a relay that lost the lock cannot go on. Steps of a round:
//! 1. read the oldest unpublished events (not "those after the last one": positions commit out of order);
//! 2. hand them to the idempotent producer in order, and wait until all are acknowledged;
//! 3. mark them as published.
//!
//! A crash between 2 and 3 publishes them again; consumers drop what they have had. So does a relay that lost the lock
//! while it waited for Kafka: it tells in order what the next one tells in order, and only what is told first counts.
//! Between rounds it takes out what was published long ago (`cleaner.rs`). Who writes events wakes the relay
//! (`wake.rs`, `LISTEN outbox`); a slow poll stands behind it.

mod cleaner;

use std::time::{Duration, Instant};

use common_db::DbConfig;
use common_utils::crash_point;
use metrics::{counter, describe_counter, describe_gauge, gauge, histogram};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgListener};
use tokio_util::sync::CancellationToken;

use self::cleaner::Cleaner;
use crate::{KafkaConfig, envelope, wake};

const LOCK: i64 = 0x6f_75_74_62_6f_78;
/// Events of one round, and their bytes as the database keeps them; a row is not divided.
const BATCH: i64 = 4_000;
/// After a round with as many, the next one begins at once.
const FULL: usize = 1_000;
const BATCH_BYTES: i64 = 4 * 1024 * 1024;
const POLL: Duration = Duration::from_secs(1);
/// After it was woken the relay looks this often, and for this long: the commit comes after the word.
const BUSY_POLL: Duration = Duration::from_millis(10);
const BUSY: Duration = Duration::from_millis(300);
/// Rounds that found something and were not full begin this far apart at the least. Kafka's work is a request for each partition and
/// round, so under a steady stream it pays to share them; what comes alone finds the relay idle and waits for nothing.
const PACE: Duration = Duration::from_millis(25);
/// More rows than this are not counted.
const DEEPEST: i64 = 100_000;
const STANDBY: Duration = Duration::from_secs(1);
/// A process that dies gives its lock back at once, because its machine closes the connection. A machine that is gone says
/// nothing; with these the server finds out within about ten seconds.
/// What it marks need not reach the disk at once: what is not marked is published again, and known.
const CONNECTION: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("synchronous_commit", "off"),
];

#[derive(Debug)]
pub struct Relay {
    pub service: &'static str,
    pub pool: PgPool,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
}

/// Events of one transaction and topic.
struct Pending {
    position: i64,
    topic: String,
    keys: Vec<String>,
    payloads: Vec<String>,
}

impl Relay {
    /// Runs until `shutdown`, and comes back after every failure.
    pub async fn run(self, shutdown: CancellationToken) {
        describe_gauge!("wallet_outbox_pending", "Events written and not yet published.");
        describe_gauge!("wallet_outbox_oldest_seconds", "Age of the oldest event that is not yet published.");
        describe_counter!("wallet_outbox_published_total", "Events published.");
        describe_counter!("wallet_outbox_errors_total", "Rounds of the relay that failed.");
        counter!("wallet_outbox_published_total", "service" => self.service).absolute(0);
        counter!("wallet_outbox_errors_total", "service" => self.service).absolute(0);
        let gauges = self.watch_depth();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = gauges => {}
            () = self.keep_leading() => {}
        }
    }

    async fn keep_leading(&self) {
        loop {
            if let Err(error) = self.lead().await {
                counter!("wallet_outbox_errors_total", "service" => self.service).increment(1);
                tracing::warn!(service = self.service, error = format!("{error:#}"), "the relay starts over");
            }
            // The next try comes after this; the words that it loses meanwhile are made up for by the leader's poll.
            let _ = tokio::time::timeout(STANDBY, self.pass_words_on()).await;
        }
    }

    /// Tells the relay that leads, in whichever process it is.
    async fn pass_words_on(&self) {
        let mut written = wake::subscribe();
        while written.changed().await.is_ok() {
            if sqlx::query!("SELECT pg_notify('outbox', '')").execute(&self.pool).await.is_err() {
                return;
            }
            tokio::time::sleep(BUSY_POLL).await;
        }
    }

    /// Waits for the lock, then relays for as long as nothing fails.
    async fn lead(&self) -> anyhow::Result<()> {
        let options = self.database.connect_options("relay").options(CONNECTION);
        let mut connection = PgConnection::connect_with(&options).await?;
        let leads = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK);
        if !leads.fetch_one(&mut connection).await? {
            return Ok(());
        }
        let producer: FutureProducer = self.kafka.producer().create()?;
        let mut commits = PgListener::connect_with(&self.pool).await?;
        commits.listen("outbox").await?;
        if self.kafka.embedded {
            // The broker forgot everything when its process ended.
            connection
                .execute("UPDATE outbox_batches SET published_at = NULL WHERE published_at IS NOT NULL")
                .await?;
        }
        tracing::info!(service = self.service, "this relay leads");
        let mut written = wake::subscribe();
        let mut woken = Instant::now();
        let mut cleaner = Cleaner::new(self.service, &self.kafka);
        loop {
            let begun = Instant::now();
            let published = self.round(&mut connection, &producer).await?;
            cleaner.clean_when_due(&mut connection).await;
            if published >= FULL {
                continue;
            }
            // No word makes it look sooner: many a word is of another service in this process, or of a commit to come, and
            // what comes meanwhile is published with it.
            if published > 0 {
                tokio::time::sleep(PACE.saturating_sub(begun.elapsed())).await;
                continue;
            }
            if woken.elapsed() < BUSY {
                tokio::time::sleep(BUSY_POLL).await;
                continue;
            }
            tokio::select! {
                word = commits.recv() => { word?; woken = Instant::now(); }
                _ = written.changed() => woken = Instant::now(),
                () = tokio::time::sleep(POLL) => {}
            }
            while commits.next_buffered().is_some() {}
        }
    }

    /// How many events were published.
    async fn round(&self, connection: &mut PgConnection, producer: &FutureProducer) -> anyhow::Result<usize> {
        let batches = sqlx::query_as!(
            Pending,
            r#"SELECT position AS "position!", topic AS "topic!", keys AS "keys!", payloads AS "payloads!"
               FROM (SELECT *, sum(events) OVER upto - events AS before,
                            sum(pg_column_size(payloads)) OVER upto - pg_column_size(payloads) AS bytes_before
                     FROM (SELECT * FROM outbox_batches
                           WHERE published_at IS NULL ORDER BY position LIMIT $1) AS oldest
                     WINDOW upto AS (ORDER BY position)) AS counted
               WHERE before < $1 AND bytes_before < $2 ORDER BY position"#,
            BATCH,
            BATCH_BYTES,
        )
        .fetch_all(&mut *connection)
        .await?;
        if batches.is_empty() {
            return Ok(0);
        }
        self.publish(producer, &batches).await?;
        crash_point!("relay.after_publish");
        let positions: Vec<i64> = batches.iter().map(|batch| batch.position).collect();
        sqlx::query!("UPDATE outbox_batches SET published_at = now() WHERE position = ANY($1)", &positions)
            .execute(connection)
            .await?;
        let count = batches.iter().map(|batch| batch.payloads.len()).sum();
        counter!("wallet_outbox_published_total", "service" => self.service).increment(u64::try_from(count)?);
        Ok(count)
    }

    /// Returns when all are acknowledged. While Kafka is down this waits: the events are safe in the outbox.
    async fn publish(&self, producer: &FutureProducer, batches: &[Pending]) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut deliveries = Vec::new();
        for batch in batches {
            let topic = self.kafka.prefixed(&batch.topic);
            for (key, payload) in batch.keys.iter().zip(&batch.payloads) {
                let content_type = Header { key: "content-type", value: Some(envelope::CONTENT_TYPE) };
                let record = FutureRecord::to(&topic)
                    .key(key)
                    .payload(payload)
                    .headers(OwnedHeaders::new().insert(content_type));
                deliveries.push(producer.send_result(record).map_err(|(error, _)| error)?);
            }
        }
        for delivery in deliveries {
            delivery.await?.map_err(|(error, _)| error)?;
        }
        histogram!("wallet_outbox_publish_duration_seconds", "service" => self.service)
            .record(started.elapsed());
        Ok(())
    }

    /// Depth and age are also shown while Kafka is down: that is when they matter.
    async fn watch_depth(&self) {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            let depth = sqlx::query!(
                r#"SELECT (SELECT COALESCE(sum(events), 0)
                           FROM (SELECT events FROM outbox_batches WHERE published_at IS NULL LIMIT $1) AS few)
                              AS "pending!",
                          COALESCE(EXTRACT(EPOCH FROM now() - (SELECT created_at FROM outbox_batches
                                                               WHERE published_at IS NULL
                                                               ORDER BY position LIMIT 1)), 0)::float8
                              AS "oldest!""#,
                DEEPEST,
            );
            if let Ok(depth) = depth.fetch_one(&self.pool).await {
                let pending = u32::try_from(depth.pending).unwrap_or(u32::MAX);
                gauge!("wallet_outbox_pending", "service" => self.service).set(f64::from(pending));
                gauge!("wallet_outbox_oldest_seconds", "service" => self.service).set(depth.oldest.max(0.0));
            }
        }
    }
}
