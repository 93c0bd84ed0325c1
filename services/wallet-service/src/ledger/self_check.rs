//! The ledger verifies itself every now and then, on a snapshot beside live traffic, and says what it found.
//!
//! It works on a connection of its own: that takes none from the pool for as long as it lasts, holds the lock that lets one
//! instance check at a time, and is simply closed when the service stops. A check that finds something has come to its
//! end like one that does not; only one that could not be finished counts as none.

use std::time::{Duration, Instant};

use common_db::DbConfig;
use common_utils::clock::SharedClock;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    LedgerError, metrics, repo,
    verify::{Report, verify_on},
};

/// So many differences are told in the log; the command `ledger verify` tells more.
const TOLD: usize = 5;

#[derive(Debug)]
pub struct SelfCheck {
    pub database: DbConfig,
    pub clock: SharedClock,
    /// The first one comes this long after the start.
    pub first: Duration,
    /// Never, if it is zero.
    pub every: Duration,
}

impl SelfCheck {
    /// Runs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        if self.every.is_zero() {
            tracing::info!("the ledger does not check itself");
            return;
        }
        metrics::register_checks(self.every, self.clock.now());
        let mut due = tokio::time::interval_at(tokio::time::Instant::now() + self.first, self.every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                due.tick().await;
                self.round().await;
            }
        };
        shutdown.run_until_cancelled(rounds).await;
    }

    async fn round(&self) {
        let started = Instant::now();
        match self.check().await {
            Ok(Some(report)) => self.tell(&report, started.elapsed()),
            Ok(None) => tracing::debug!("another instance is checking the ledger"),
            Err(error) => tracing::warn!(%error, "the ledger could not be checked"),
        }
    }

    /// None while another instance is at it.
    pub async fn check(&self) -> Result<Option<Report>, LedgerError> {
        let options = self.database.connect_options("ledger-check");
        let mut connection = PgConnection::connect_with(&options).await?;
        // A check that is broken off ends on the server, too, unless that cannot watch its clients.
        let _ = connection.execute("SET client_connection_check_interval = '5s'").await;
        if !repo::try_lead(&mut connection).await? {
            return Ok(None);
        }
        let report = verify_on(&mut connection, None).await?;
        connection.close().await?;
        Ok(Some(report))
    }

    fn tell(&self, report: &Report, took: Duration) {
        metrics::checked(report.differences.len(), self.clock.now(), took);
        if report.is_clean() {
            return;
        }
        let first = report.differences.iter().take(TOLD);
        let told: Vec<String> =
            first.map(|difference| format!("{}: {difference}", difference.check.name())).collect();
        tracing::error!(
            differences = report.differences.len(),
            first = told.join("; "),
            "the ledger is NOT exact"
        );
    }
}
