//! Sends what is due. Several instances may: each takes deliveries under a lease that no other one has.
//!
//! One endpoint has a few attempts under way at a time, and one alone while its attempts fail; failing endpoints together have
//! a part of all, so those that hang leave room for the others. A crash between an attempt and its entry in the log lets the
//! lease run out, and the delivery is sent again under the same `webhook-id`.

use std::{collections::HashMap, time::Duration};

use common_utils::ids;
use sqlx::PgExecutor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    error::WebhookError,
    recording::{self, Sent},
    repo::{
        queue::{self, Round, Taken},
        secrets,
    },
    sender::Outgoing,
    signing::Secret,
};
use crate::app::AppState;

/// Attempts of this process that are under way.
const IN_ALL: usize = 64;
/// Those of them that are for failing endpoints.
const FOR_FAILING: usize = 24;
const AN_ENDPOINT: i32 = 4;
/// Retries become due without anybody telling.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end, what is under way gets so long. The rest is sent again when its lease is over.
const LAST_ATTEMPTS: Duration = Duration::from_secs(8);

/// Runs until `shutdown`.
pub(crate) async fn send(state: AppState, shutdown: CancellationToken) {
    let mut sending =
        Sending { state, running: JoinSet::new(), under_way: HashMap::new(), after: [Uuid::nil(); 2] };
    let mut failed = false;
    while !shutdown.is_cancelled() {
        let taken = sending.take_all().await;
        if let Err(error) = &taken
            && !failed
        {
            tracing::warn!(%error, "webhooks could not be taken; trying again");
        }
        failed = taken.is_err();
        let woken = async {
            if failed { std::future::pending().await } else { sending.state.webhooks.wake.notified().await }
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = sending.running.join_next_with_id() => sending.ended(&ended),
            () = woken => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
        sending.drain();
    }
    let last = async { while sending.running.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ATTEMPTS, last).await.is_err() {
        tracing::info!("webhooks that are under way are left to their leases");
    }
}

/// An attempt under way.
#[derive(Clone, Copy)]
struct UnderWay {
    endpoint: Uuid,
    failing: bool,
}

struct Sending {
    state: AppState,
    running: JoinSet<()>,
    under_way: HashMap<tokio::task::Id, UnderWay>,
    /// Which endpoint was served last, of those that work and of those that fail.
    after: [Uuid; 2],
}

type Ended = Result<(tokio::task::Id, ()), tokio::task::JoinError>;

impl Sending {
    fn ended(&mut self, ended: &Ended) {
        let id = match ended {
            Ok((id, ())) => *id,
            // The panic hook has logged where and why.
            Err(error) => error.id(),
        };
        self.under_way.remove(&id);
    }

    fn drain(&mut self) {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.ended(&ended);
        }
    }

    async fn take_all(&mut self) -> Result<(), WebhookError> {
        for failing in [false, true] {
            let mut free = IN_ALL.saturating_sub(self.under_way.len());
            if failing {
                let busy = self.under_way.values().filter(|attempt| attempt.failing).count();
                free = free.min(FOR_FAILING.saturating_sub(busy));
            }
            if free > 0 {
                self.take(failing, free).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, failing: bool, free: usize) -> Result<(), WebhookError> {
        let (now, lease) = (self.state.clock.now(), ids::new_id());
        let mut in_flight: HashMap<Uuid, i32> = HashMap::new();
        for attempt in self.under_way.values() {
            *in_flight.entry(attempt.endpoint).or_default() += 1;
        }
        let after = &mut self.after[usize::from(failing)];
        let round = Round {
            failing,
            in_flight: &in_flight,
            an_endpoint: if failing { 1 } else { AN_ENDPOINT },
            in_all: i64::try_from(free).unwrap_or(i64::MAX),
            after: *after,
        };
        let mut op = common_db::begin(&self.state.pool).await?;
        let taken = queue::take_in_op(&mut op, &round, lease, now).await?;
        if taken.is_empty() {
            return Ok(());
        }
        let endpoints: Vec<Uuid> = taken.iter().map(|taken| taken.endpoint_id).collect();
        // Before the lease is taken for good: what cannot be signed now would wait for its end.
        let secrets = secrets_in_force(&self.state, &mut *op, &endpoints).await?;
        op.commit().await?;
        *after = endpoints.iter().copied().max_by_key(|id| (*id <= *after, *id)).unwrap_or_default();
        for taken in taken {
            let endpoint = taken.endpoint_id;
            let secrets = secrets.get(&endpoint).cloned().unwrap_or_default();
            let handle = self.running.spawn(attempt(self.state.clone(), taken, secrets, lease));
            self.under_way.insert(handle.id(), UnderWay { endpoint, failing });
        }
        Ok(())
    }
}

async fn attempt(state: AppState, taken: Taken, secrets: Vec<Secret>, lease: Uuid) {
    let Taken { id, endpoint_id, generation, message_id, url, payload } = taken;
    let Ok(url) = url.parse() else {
        tracing::error!(endpoint = %endpoint_id, "the address of a webhook endpoint is none");
        return;
    };
    let outgoing = Outgoing { url, message_id, payload, secrets };
    let attempt = state.webhooks.sender.attempt(outgoing).await;
    let sent = Sent { endpoint: endpoint_id, generation, delivery: id, lease };
    if let Err(error) = recording::record(&state, sent, &attempt).await {
        tracing::warn!(delivery = %id, %error, "an attempt could not be recorded; it will be made again");
    }
}

/// What each of the endpoints is signed for with, the newest first. None for one of whose secrets one cannot be opened: its
/// attempts fail, and those of others do not.
pub(super) async fn secrets_in_force(
    state: &AppState,
    database: impl PgExecutor<'_>,
    endpoints: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Secret>>, WebhookError> {
    let mut opened: HashMap<Uuid, Option<Vec<Secret>>> = HashMap::new();
    for sealed in secrets::in_force(database, endpoints, state.clock.now()).await? {
        let all = opened.entry(sealed.endpoint_id).or_insert_with(|| Some(Vec::new()));
        match (state.webhooks.keys.open(sealed.id, &sealed.content), &mut *all) {
            (Ok(secret), Some(secrets)) => secrets.push(secret),
            (Ok(_), None) => {}
            (Err(error), _) => {
                tracing::error!(endpoint = %sealed.endpoint_id, %error, "the secret of a webhook endpoint cannot be opened");
                *all = None;
            }
        }
    }
    Ok(opened.into_iter().filter_map(|(endpoint, secrets)| Some((endpoint, secrets?))).collect())
}
