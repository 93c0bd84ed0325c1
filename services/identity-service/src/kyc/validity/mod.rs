//! For how long a tier holds. A tier that was approved has a date on which it is to be verified anew: the person is reminded before,
//! keeps the tier for a time of grace after, and then falls to the highest tier below that still holds. Opening a new case of the
//! tier is possible from the reminder on; approving it sets new dates.
//!
//! The bank verification number gives tier 1 without a date. What a person may do at which tier is the country's policy.

pub(crate) mod repo;
pub(crate) mod routes;

use std::time::Duration;

use common_events::{Actor, EventContext, contracts::UserUpdated};
use common_utils::ids::UserId;
use tokio_util::sync::CancellationToken;

use super::{
    cases::{self, Cases, entity::CaseId, error::CaseError, repo::Beside},
    numbers,
};
use crate::{
    SERVICE_NAME,
    notices::entity::Message,
    users::{
        self, ContactKind,
        entity::{TIER_BVN, TIER_NONE},
    },
};

const EVERY: Duration = Duration::from_secs(5);
/// Of one round.
const MOST: i64 = 1_000;
/// Why a tier changed, in its event.
const EVIDENCE: &str = "expired";

impl Cases {
    /// Reminds people, takes back what has lapsed, and ends cases that nobody answered, until `shutdown`. Several instances may.
    pub(crate) async fn keep_verified(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            let round = async {
                self.remind().await;
                self.lapse().await;
                self.expire_unanswered().await;
            };
            if shutdown.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    async fn remind(&self) {
        let what = "remind people of verifying anew";
        let due = repo::to_remind(&self.pool, MOST, self.clock.now()).await;
        for (user, tier) in due_or_told(what, due.map_err(CaseError::from)) {
            told(what, user, self.remind_one(user, tier).await);
        }
    }

    async fn remind_one(&self, user: UserId, tier: i16) -> Result<(), CaseError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, user, &self.clock).await?;
        let user = user.ok_or(CaseError::NotFound)?;
        let now = self.clock.now();
        let until = repo::note_reminder_in_op(&mut op, user.id, tier, now).await?;
        let Some(until) = until else { return Ok(()) };
        // Who is no longer at the tier, or away, is not written to.
        if user.kyc_tier == tier && user.is_active() {
            let to = user.trusted_contact(ContactKind::Email);
            self.notices.write_in_op(&mut op, &[Message::kyc_due(&to, tier, until, now)]).await?;
        }
        op.commit().await?;
        self.notices.wake();
        Ok(())
    }

    async fn lapse(&self) {
        let what = "take back a tier that lapsed";
        let due = repo::lapsed(&self.pool, MOST, self.clock.now()).await;
        for user in due_or_told(what, due.map_err(CaseError::from)) {
            told(what, user, self.lapse_one(user).await);
        }
    }

    async fn lapse_one(&self, id: UserId) -> Result<(), CaseError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let mut user = user.ok_or(CaseError::NotFound)?;
        let now = self.clock.now();
        // Read after the lock: they may have been verified anew.
        repo::delete_lapsed_in_op(&mut op, id, now).await?;
        let held = repo::highest_in_op(&mut op, id).await?.unwrap_or(TIER_NONE);
        let by_number = numbers::find(&mut *op, id).await?.bvn_lookup.map_or(TIER_NONE, |_| TIER_BVN);
        if let Some(change) = user.fall_to_tier(held.max(by_number)) {
            let by = Actor::service(SERVICE_NAME);
            users::repo::update_in_op(&mut op, &user).await?;
            user.publish_in_op(&mut op, by.clone(), UserUpdated).await?;
            let context = EventContext::new(SERVICE_NAME, by, user.at());
            users::publish_in_op(&mut op, &context, &user.tier_changed(change, EVIDENCE)).await?;
            // Who has closed their account, or was erased, is not written to.
            if user.is_active() {
                let to = user.trusted_contact(ContactKind::Email);
                self.notices.write_in_op(&mut op, &[Message::kyc_lapsed(&to, change, now)]).await?;
            }
            tracing::info!(user_id = %id, old = change.old, new = change.new, "a KYC tier lapsed");
        }
        op.commit().await?;
        self.notices.wake();
        Ok(())
    }

    /// Ends cases whose person was asked for more and did not answer in time.
    async fn expire_unanswered(&self) {
        let what = "end a case that nobody answered";
        let due = cases::repo::unanswered(&self.pool, MOST, self.clock.now()).await;
        for (case, user) in due_or_told(what, due.map_err(CaseError::from)) {
            told(what, user, self.expire_one(case, user).await);
        }
    }

    async fn expire_one(&self, id: CaseId, user: UserId) -> Result<(), CaseError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, user, &self.clock).await?;
        let mut user = user.ok_or(CaseError::NotFound)?;
        let mut case = cases::repo::find_locked_in_op(&mut op, id).await?.ok_or(CaseError::NotFound)?;
        let now = self.clock.now();
        // They may have answered meanwhile.
        if case.answer_by.is_none_or(|until| until > now) {
            return Ok(());
        }
        let step = case.expire(now)?;
        let by = (Actor::service(SERVICE_NAME), Beside::default());
        self.settle_in_op(&mut op, (&case, &mut user), step, by, None).await?;
        op.commit().await?;
        self.settled(&case, step, "rules");
        Ok(())
    }
}

/// What is due, or nothing this time.
fn due_or_told<T>(what: &str, due: Result<Vec<T>, CaseError>) -> Vec<T> {
    due.unwrap_or_else(|error| {
        tracing::warn!(%error, "could not look whom to {what}; trying again later");
        Vec::new()
    })
}

/// One person's trouble keeps nobody else waiting.
fn told(what: &str, user: UserId, done: Result<(), CaseError>) {
    if let Err(error) = done {
        tracing::error!(user_id = %user, %error, "could not {what}; trying again later");
    }
}
