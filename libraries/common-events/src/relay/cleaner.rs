//! Takes events out of the outbox a while after they were published.

use std::time::{Duration, Instant};

use metrics::{counter, describe_counter};
use sqlx::PgConnection;

use crate::KafkaConfig;

const CLEANED: &str = "wallet_outbox_cleaned_total";
/// Of one statement. It runs between two rounds of publishing, so it has to be short.
const ROWS: i64 = 1_000;
const EVENTS: i64 = 20_000;
const EVERY: Duration = Duration::from_mins(1);
/// Where there is more to take out, publishing gets this long before it goes on.
const BREATH: Duration = Duration::from_millis(50);

pub(super) struct Cleaner {
    service: &'static str,
    /// None keeps everything.
    retention: Option<Duration>,
    due: Instant,
}

impl Cleaner {
    pub(super) fn new(service: &'static str, kafka: &KafkaConfig) -> Self {
        describe_counter!(CLEANED, "Events taken out of the outbox after they were published.");
        counter!(CLEANED, "service" => service).absolute(0);
        let keeps = kafka.embedded || kafka.outbox_retention.is_zero();
        let retention = (!keeps).then_some(kafka.outbox_retention);
        Self { service, retention, due: Instant::now() }
    }

    /// What cannot be cleaned is tried again later: publishing does not depend on it.
    pub(super) async fn clean_when_due(&mut self, connection: &mut PgConnection) {
        let Some(retention) = self.retention.filter(|_| Instant::now() >= self.due) else { return };
        let more = match self.clean(connection, retention).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(service = self.service, %error, "the outbox could not be cleaned; trying again later");
                false
            }
        };
        self.due = Instant::now() + if more { BREATH } else { EVERY };
    }

    /// Whether there may be more.
    async fn clean(&self, connection: &mut PgConnection, retention: Duration) -> sqlx::Result<bool> {
        // The oldest rows by their key, which no table's size makes slower to find. Where one of them is not published yet,
        // publishing has stopped, and what is behind it waits too.
        let taken = sqlx::query!(
            r#"WITH oldest AS (SELECT position, published_at, sum(events) OVER (ORDER BY position) - events AS before
                               FROM (SELECT position, published_at, events FROM outbox_batches
                                     ORDER BY position LIMIT $2) AS first),
                    taken AS (DELETE FROM outbox_batches
                              WHERE position IN (SELECT position FROM oldest
                                                 WHERE published_at < now() - make_interval(secs => $1) AND before < $3)
                              RETURNING events)
               SELECT count(*) AS "rows!", COALESCE(sum(events), 0) AS "events!" FROM taken"#,
            retention.as_secs_f64(),
            ROWS,
            EVENTS,
        )
        .fetch_one(connection)
        .await?;
        counter!(CLEANED, "service" => self.service)
            .increment(u64::try_from(taken.events).unwrap_or_default());
        Ok(taken.rows == ROWS || taken.events >= EVENTS)
    }
}
