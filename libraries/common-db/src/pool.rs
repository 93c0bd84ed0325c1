//! The connection pool, with its gauges.

use std::time::Duration;

use metrics::{describe_gauge, gauge};
use sqlx::{Connection, PgPool, postgres::PgPoolOptions};
use tokio_util::sync::CancellationToken;

use crate::DbConfig;

/// A connection that has rested for longer is asked whether it still lives before it is used.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// What a service asks are look-ups in indexes, for lists of ids. A plan is made once and kept, maybe while a table was
/// empty, when reading all of it was cheapest; and it is still kept when the table has millions of rows. So such plans
/// are not to be had here: a statement that does read much sets these back for itself.
const LOOK_UPS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];

/// A pool that connects when it is first used, so a service starts while its database is still coming up and says
/// so in `/health/ready`.
pub fn connect(service: &'static str, config: &DbConfig) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_secs(5))
        .max_lifetime(Duration::from_mins(30))
        // A question a statement costs as much as a short statement. What was in use a moment ago is not asked.
        .test_before_acquire(false)
        .before_acquire(|connection, rested| {
            Box::pin(async move {
                if rested.idle_for > REST {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(config.connect_options(service).options(LOOK_UPS))
}

/// Keeps the pool's gauges fresh until `shutdown`.
pub async fn watch(service: &'static str, pool: PgPool, shutdown: CancellationToken) {
    describe_gauge!("wallet_db_pool_connections", "Open connections of the pool, by state.");
    describe_gauge!("wallet_db_pool_connections_max", "Connections that the pool may open.");
    gauge!("wallet_db_pool_connections_max", "service" => service)
        .set(f64::from(pool.options().get_max_connections()));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        let used = pool.size().saturating_sub(idle);
        gauge!("wallet_db_pool_connections", "service" => service, "state" => "idle").set(f64::from(idle));
        gauge!("wallet_db_pool_connections", "service" => service, "state" => "used").set(f64::from(used));
    }
}
