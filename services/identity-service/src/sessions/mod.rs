//! Sessions: what a login opens, refreshing keeps going, and logging out ends.
//!
//! Each refresh token is used once and replaced by its successor. A token that comes back after that is a copy in
//! somebody's hands, and ends the session; only the token before the last gets, for a few seconds, the same successor
//! again. Two uses of one token at the same moment follow one another by the lock on their session, so both get the
//! same successor.

mod access;
pub(crate) mod entity;
pub(crate) mod error;
mod repo;
pub(crate) mod routes;
pub(crate) mod token;

use std::time::Duration;

use chrono::TimeDelta;
use common_auth::CurrentUser;
use common_db::{Op, PgPool};
use common_events::Actor;
use common_utils::{clock::SharedClock, ids::UserId};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics,
    users::{entity::User, error::UserError, repo as users_repo},
};
pub(crate) use access::{AccessTokens, IssuedTokens};
use entity::{Decision, EndReason, Session, Which};
use error::SessionError;
use token::RefreshToken;

/// Expired sessions are kept this long, so that a late refresh is told what happened.
const KEPT: TimeDelta = TimeDelta::days(30);
const PURGE_EVERY: Duration = Duration::from_hours(1);
const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) access: AccessTokens,
    pub(crate) lifetime: TimeDelta,
}

impl Sessions {
    /// Opens a session for somebody who has just proved who they are.
    pub(crate) async fn open_in_op(&self, op: &mut Op, user: &User) -> Result<IssuedTokens, SessionError> {
        let now = self.clock.now();
        let session = Session::open(user.id, self.lifetime, now);
        let token = RefreshToken::random();
        repo::insert_in_op(op, &session, &token).await?;
        self.access.issue(user, &session, token, now)
    }

    pub(crate) async fn refresh(&self, token: &RefreshToken) -> Result<IssuedTokens, SessionError> {
        let mut op = common_db::begin(&self.pool).await?;
        let session = repo::find_locked_in_op(&mut op, token).await?.ok_or(SessionError::Invalid)?;
        let stored = repo::find_token_in_op(&mut op, token).await?.ok_or(SessionError::Invalid)?;
        let now = self.clock.now();
        let successor = match session.present(stored, now) {
            Decision::Rotate => {
                let successor = RefreshToken::random();
                let sealed = token.seal(&successor)?;
                repo::rotate_in_op(&mut op, &session, &successor, &sealed, now).await?;
                successor
            }
            Decision::Repeat { sealed_successor } => token.unseal(&sealed_successor)?,
            Decision::Reused => return self.end_reused(op, &session).await,
            Decision::Expired => return Err(SessionError::Expired),
            Decision::Ended => return Err(SessionError::Invalid),
        };
        let user = users_repo::find(&mut *op, session.user_id).await?.ok_or(UserError::NotFound)?;
        if !user.is_active() {
            return Err(SessionError::Inactive);
        }
        let tokens = self.access.issue(&user, &session, successor, now)?;
        op.commit().await?;
        Ok(tokens)
    }

    async fn end_reused(&self, mut op: Op, session: &Session) -> Result<IssuedTokens, SessionError> {
        repo::end_in_op(&mut op, session.id, EndReason::Reuse, self.clock.now()).await?;
        op.commit().await?;
        metrics::refresh_reused();
        tracing::warn!(user_id = %session.user_id, session_id = %session.id, "a used refresh token came back: session ended");
        Err(SessionError::Invalid)
    }

    /// Ends the session of the access token, and that of the refresh token if it is the caller's own. Ending what has
    /// ended changes nothing.
    pub(crate) async fn log_out(
        &self,
        caller: &CurrentUser,
        token: Option<&RefreshToken>,
    ) -> Result<(), SessionError> {
        let now = self.clock.now();
        let ended = repo::log_out(&self.pool, caller.id, caller.claims.sid, token, now).await?;
        tracing::info!(user_id = %caller.id, session_id = %caller.claims.sid, ended, "logged out");
        Ok(())
    }

    /// Ends somebody's sessions that go on, and tells how many.
    pub(crate) async fn end_in_op(
        &self,
        op: &mut Op,
        user: UserId,
        which: Which,
        reason: EndReason,
        by: Actor,
    ) -> Result<u64, SessionError> {
        let ended = repo::end_those_in_op(op, user, which, reason, self.clock.now()).await?;
        tracing::info!(user_id = %user, ended, reason = reason.name(), by = ?by, "sessions ended");
        Ok(ended)
    }

    /// Forgets sessions that expired long ago, until `shutdown`.
    pub(crate) async fn keep_purging(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(PURGE_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.purge(&shutdown).await {
                tracing::warn!(%error, "expired sessions could not be forgotten");
            }
        }
    }

    async fn purge(&self, shutdown: &CancellationToken) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while !shutdown.is_cancelled() {
            let forgotten = repo::purge(&self.pool, before, PURGE_BATCH).await?;
            if forgotten > 0 {
                tracing::info!(forgotten, "expired sessions forgotten");
            }
            if forgotten < PURGE_BATCH.unsigned_abs() {
                break;
            }
        }
        Ok(())
    }
}
