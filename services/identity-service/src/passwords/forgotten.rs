//! Who has forgotten their password.
//!
//! The request does the same whoever asks: it writes down what was typed, encrypted, and answers. A worker looks whether there
//! is such a person, and if so writes the message with the token, in the transaction that takes the request out of the queue.
//! Nobody can tell from answer or time who is registered. A person gets a token a minute and five an hour; beyond, nothing is sent.

use std::time::Duration;

use chrono::TimeDelta;
use common_db::Op;
use common_utils::{correlation, ids, work};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{PasswordChanges, error::PasswordChangeError, repo};
use crate::{
    allowances::{Allowance, Counted},
    crypto::token::SecretToken,
    notices::{NoticeError, entity::Message},
    users::{self, Identifier, error::UserError},
};

/// No shorter than the time in which tokens are counted: else whoever asks in somebody's name five times would leave them for a
/// while without a good token and without another one.
pub(crate) const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// Who was not looked up for so long has asked again, or waits no more.
const WAITS: TimeDelta = TimeDelta::minutes(30);
/// More than this wait only while the worker or the database stand still.
const MOST_WAITING: i64 = 10_000;
const POLL: Duration = Duration::from_secs(1);
/// Tokens that have expired are forgotten after this.
const KEPT: TimeDelta = TimeDelta::days(1);
const PURGE_BATCH: i64 = 1000;

impl PasswordChanges {
    /// Notes that somebody has forgotten their password.
    pub(crate) async fn forgot(&self, identifier: &str) -> Result<(), PasswordChangeError> {
        let id = ids::new_id();
        let sealed = self.sealer.seal(id.as_bytes(), identifier.as_bytes())?;
        let (correlation_id, now) = (correlation::current(), self.clock.now());
        let written = repo::note(&self.pool, id, &sealed, &correlation_id, MOST_WAITING, now).await?;
        if !written {
            return Err(PasswordChangeError::Overloaded);
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Looks up who has forgotten their password until `shutdown`.
    pub(crate) async fn keep_looking_up(self, shutdown: CancellationToken) {
        work::run(shutdown, &self.wake, POLL, || self.round()).await;
    }

    /// True when there was something.
    async fn round(&self) -> bool {
        self.look_up().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a forgotten password could not be looked up; trying again");
            false
        })
    }

    async fn look_up(&self) -> Result<bool, PasswordChangeError> {
        let dropped = repo::drop_old(&self.pool, self.clock.now() - WAITS).await?;
        if dropped > 0 {
            tracing::error!(dropped, "forgotten passwords waited for half an hour and are dropped");
        }
        let mut op = common_db::begin(&self.pool).await?;
        let Some(request) = repo::take_in_op(&mut op).await? else { return Ok(false) };
        if let Some(identifier) = self.read(request.id, &request.identifier) {
            let answered = self.answer_in_op(&mut op, &identifier);
            match correlation::scope(request.correlation_id, answered).await {
                Ok(()) => {}
                Err(error) if is_of_the_database(&error) => return Err(error),
                // Tried again, it would fail again, and hold up everybody behind it.
                Err(error) => {
                    tracing::error!(%error, "a forgotten password cannot be answered and is dropped");
                }
            }
        }
        op.commit().await?;
        self.notices.wake();
        Ok(true)
    }

    /// None for what cannot be anybody's, or cannot be read any more.
    fn read(&self, id: Uuid, sealed: &[u8]) -> Option<Identifier> {
        let plain = self
            .sealer
            .open(id.as_bytes(), sealed)
            .inspect_err(
                |error| tracing::error!(%error, "a forgotten password cannot be read and is dropped"),
            )
            .ok()?;
        Identifier::parse(std::str::from_utf8(&plain).ok()?)
    }

    async fn answer_in_op(&self, op: &mut Op, told: &Identifier) -> Result<(), PasswordChangeError> {
        let Some(known) = users::repo::find_by(&mut **op, told).await? else { return Ok(()) };
        let user = users::repo::find_locked_in_op(op, known.id, &self.clock).await?;
        let user = user.ok_or(UserError::NotFound)?;
        // Until the lock was ours, it may have become somebody else's.
        if user.contact(told.kind()) != *told || !user.is_active() {
            return Ok(());
        }
        let counted = Counted::ResetsOf(user.id);
        if self.allowances.take_in_op(op, counted, Allowance::MESSAGES).await?.is_err() {
            tracing::warn!(user_id = %user.id, "another token to reset a password, too soon: not sent");
            return Ok(());
        }
        let (token, now) = (SecretToken::random(), self.clock.now());
        let expires_at = now + LIFETIME;
        let contact = user.trusted_contact(told.kind());
        repo::write_reset_in_op(op, user.id, &token, contact.kind(), now, expires_at).await?;
        let page = self.config.page.as_deref().unwrap_or_default();
        let secret = Zeroizing::new(format!("{page}{}", *token.encode()));
        let message = Message::password_reset(&contact, &secret, expires_at);
        tracing::info!(user_id = %user.id, "password forgotten");
        Ok(self.notices.write_in_op(op, &[message]).await?)
    }

    /// Forgets tokens that expired long ago.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while repo::purge_resets(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}

/// What may be different the next time, and leaves a transaction that cannot be committed.
fn is_of_the_database(error: &PasswordChangeError) -> bool {
    matches!(
        error,
        PasswordChangeError::Database(_)
            | PasswordChangeError::Notice(NoticeError::Database(_))
            | PasswordChangeError::User(UserError::Database(_))
    )
}
