//! How an instance hears of what is taken back: it reads `user-events` by itself, from as long ago as a token can live.
//!
//! Events go to each instance, and not to one of a group, so that nothing has to be passed on; and they wait for no other work
//! of the service. An instance that has just started reads a quarter of an hour's events, which is a moment's work, and is ready
//! when it has (`readiness.rs`). With Kafka away, what
//! was heard goes on to hold, and what has happened meanwhile is heard when Kafka is back; until then a token of an ended session
//! lives, at the longest, until it expires.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use common_events::{
    Event, KafkaConfig, Topic,
    broadcast::{Broadcast, Listener},
    contracts::{SessionEnded, UserSnapshot, UserUpdated, UserVerified},
};
use common_utils::{clock::SharedClock, ids::UserId};
use metrics::{describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

use super::{Revocations, Standing};
use crate::{Role, verify::TokenVerifier};

const REVOKED: &str = "wallet_auth_revocations";
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// Keys that are no longer published are no longer believed after this long.
const KEYS_EVERY: Duration = Duration::from_secs(30);

/// What comes of an event.
#[derive(Debug, Clone)]
pub struct Heard {
    pub list: Arc<Revocations>,
    /// How long an access token lives.
    pub lifetime: TimeDelta,
}

impl Listener for Heard {
    fn hear(&self, event: &Event) -> serde_json::Result<()> {
        if let Some(SessionEnded(ended)) = event.data().transpose()? {
            self.list.end_session(ended.session_id, ended.refused_until);
        } else if let Some(UserUpdated(user)) = event.data().transpose()? {
            self.changed(&user, event);
        } else if let Some(UserVerified(user)) = event.data().transpose()? {
            self.changed(&user, event);
        }
        Ok(())
    }

    fn caught_up(&self) {
        self.list.caught_up();
    }
}

impl Heard {
    fn changed(&self, user: &UserSnapshot, event: &Event) {
        let roles: Vec<Role> = user.roles.iter().filter_map(|role| role.parse().ok()).collect();
        let active = user.status == "active";
        let standing = Standing { since: event.time, roles, tier: user.kyc_tier, active };
        let until = event.time + self.lifetime + TimeDelta::seconds(super::CLOCKS_DIFFER);
        self.list.change_standing(UserId::from(user.user_id), standing, until);
    }
}

/// Keeps the verifier's list and its keys up to date, until `shutdown`. Every service but identity runs it once. From the call on, before
/// anything is awaited, the instance counts as one that listens.
pub fn keep_informed(
    service: &'static str,
    tokens: Arc<TokenVerifier>,
    kafka: KafkaConfig,
    clock: SharedClock,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send {
    tokens.revocations().listening(clock.now());
    listen(service, tokens, kafka, clock, shutdown)
}

async fn listen(
    service: &'static str,
    tokens: Arc<TokenVerifier>,
    kafka: KafkaConfig,
    clock: SharedClock,
    shutdown: CancellationToken,
) {
    describe_gauge!(
        REVOKED,
        "Sessions that ended and people whose rights changed while tokens of theirs live."
    );
    let heard = Heard { list: Arc::clone(tokens.revocations()), lifetime: tokens.lifetime() };
    let broadcast = Broadcast {
        service,
        topic: Topic::User,
        kafka,
        reach: heard.lifetime,
        clock: SharedClock::clone(&clock),
    };
    tokio::join!(
        broadcast.run(&heard, shutdown.clone()),
        keep_tidy(service, &heard.list, &clock, &shutdown),
        keep_keys(&tokens, &shutdown),
    );
}

async fn keep_tidy(
    service: &'static str,
    list: &Revocations,
    clock: &SharedClock,
    shutdown: &CancellationToken,
) {
    let mut tick = tokio::time::interval(TIDY_EVERY);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        list.forget_expired(clock.now());
        let (sessions, people) = list.len();
        for (of, count) in [("sessions", sessions), ("people", people)] {
            gauge!(REVOKED, "service" => service, "of" => of)
                .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
    }
}

async fn keep_keys(tokens: &TokenVerifier, shutdown: &CancellationToken) {
    let mut tick = tokio::time::interval(KEYS_EVERY);
    // The first comes at once, and identity-service may still be starting; the first token asks anyway.
    tick.tick().await;
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = tokens.renew_keys().await {
            tracing::warn!(error = format!("{error:#}"), "the keys of access tokens could not be read anew");
        }
    }
}
