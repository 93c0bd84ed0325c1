//! Takes events out of the outbox a while after they were published.

use std::time::{Duration, Instant};

use metrics::{counter, describe_counter};
use sqlx::PgConnection;

use crate::KafkaConfig;

const CLEANED: &str = "wallet_outbox_cleaned_total";
/// Rows of one statement. It runs between two rounds of publishing, so it has to be short.
const AT_ONCE: i64 = 500;
const EVERY: Duration = Duration::from_mins(1);
/// Where there is more to take out, publishing gets this long before it goes on.
const BREATH: Duration = Duration::from_millis(200);

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

    pub(super) async fn clean_when_due(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let Some(retention) = self.retention.filter(|_| Instant::now() >= self.due) else { return Ok(()) };
        // The oldest rows by their key, which no table's size makes slower to find. Where one of them is not published yet,
        // publishing has stopped, and what is behind it waits too.
        let taken = sqlx::query!(
            r#"WITH oldest AS (SELECT position, published_at FROM outbox_batches ORDER BY position LIMIT $2),
                    taken AS (DELETE FROM outbox_batches
                              WHERE position IN (SELECT position FROM oldest
                                                 WHERE published_at < now() - make_interval(secs => $1))
                              RETURNING events)
               SELECT count(*) AS "rows!", COALESCE(sum(events), 0) AS "events!" FROM taken"#,
            retention.as_secs_f64(),
            AT_ONCE,
        )
        .fetch_one(connection)
        .await?;
        counter!(CLEANED, "service" => self.service)
            .increment(u64::try_from(taken.events).unwrap_or_default());
        self.due = Instant::now() + if taken.rows == AT_ONCE { BREATH } else { EVERY };
        Ok(())
    }
}
