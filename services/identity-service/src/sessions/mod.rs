//! Sessions: what a login opens, refreshing keeps going, and logging out ends.
//!
//! Each refresh token is used once and replaced by its successor. A token that comes back after that is a copy in
//! somebody's hands, and ends the session (`reuse` in events and metrics, `session_copied` in notices), of which its owner is told; only the token before the last gets, for a few seconds, the same successor
//! again. Two uses of one token at the same moment follow one another by the lock on their session, so both get the
//! same successor.
//!
//! The end of a session is an event, on which every instance of every service refuses the access tokens that are still
//! about. This service asks the session's own row (`record.rs`), for each call.

mod access;
pub(crate) mod entity;
pub(crate) mod error;
mod events;
mod origin;
mod record;
mod repo;
pub(crate) mod routes;
pub(crate) mod routes_list;
pub(crate) mod token;

use std::time::Duration;

use chrono::TimeDelta;
use common_auth::{CurrentUser, Method};
use common_db::{Op, PgPool};
use common_events::{Actor, EventContext, NewEvent, outbox};
use common_utils::{
    clock::SharedClock,
    http::{
        Problem,
        paging::{self, Limit, Page, PageQuery},
    },
    ids::UserId,
};
use tokio_util::sync::CancellationToken;

use crate::{
    SERVICE_NAME,
    guard::Guard,
    metrics,
    notices::{Notices, entity::Message},
    users::{ContactKind, entity::User, error::UserError, repo as users_repo},
};
pub(crate) use access::{AccessToken, AccessTokens, IssuedTokens, Signer};
pub(crate) use entity::{BoundDevice, Proof};
use entity::{Decision, EndReason, Open, Session, SessionId, Which};
use error::SessionError;
pub(crate) use origin::Origin;
pub(crate) use record::OwnRecord;
use repo::Listed;
use token::RefreshToken;

/// Expired sessions are kept this long, so that a late refresh is told what happened.
const KEPT: TimeDelta = TimeDelta::days(30);
const PURGE_EVERY: Duration = Duration::from_hours(1);
const PURGE_BATCH: i64 = 1000;
/// Sessions that end in one transaction, each with its event.
const END_BATCH: i64 = 200;
/// Open ones of one person: the oldest ends when another is opened.
const MOST_OPEN: i64 = 100;

#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) guard: Guard,
    pub(crate) access: AccessTokens,
    pub(crate) notices: Notices,
    pub(crate) lifetime: TimeDelta,
}

impl Sessions {
    /// Opens a session for somebody who has just proved who they are.
    pub(crate) async fn open_in_op(
        &self,
        op: &mut Op,
        user: &User,
        origin: &Origin,
        proof: Proof,
    ) -> Result<IssuedTokens, SessionError> {
        let session = Session::open(user.id, proof, self.lifetime, self.clock.now());
        self.insert_in_op(op, user, origin, session).await
    }

    /// The same on a device of theirs, with which the session ends.
    pub(crate) async fn open_on_device_in_op(
        &self,
        op: &mut Op,
        user: &User,
        origin: &Origin,
        proof: Proof,
        device: BoundDevice,
    ) -> Result<IssuedTokens, SessionError> {
        let session = Session::open(user.id, proof, self.lifetime, self.clock.now());
        self.insert_in_op(op, user, origin, Session { device: Some(device), ..session }).await
    }

    async fn insert_in_op(
        &self,
        op: &mut Op,
        user: &User,
        origin: &Origin,
        session: Session,
    ) -> Result<IssuedTokens, SessionError> {
        let refresh = RefreshToken::random();
        self.make_room_in_op(op, user.id).await?;
        repo::insert_in_op(op, &session, &refresh, origin).await?;
        Ok(IssuedTokens { access: self.access.issue(user, &session, session.created_at)?, refresh })
    }

    /// Notes that the session's owner has just proved once more who they are, by `method`. The refresh token stays the one that it
    /// is: an answer that is lost costs nothing. Somebody's row is locked before their session's.
    pub(crate) async fn step_up_in_op(
        &self,
        op: &mut Op,
        user: &User,
        session: SessionId,
        method: Method,
    ) -> Result<AccessToken, SessionError> {
        let now = self.clock.now();
        let found = repo::find_own_locked_in_op(op, user.id, session).await?;
        let mut session = found.filter(|session| session.goes_on(now)).ok_or(SessionError::Invalid)?;
        session.step_up(method, now);
        repo::update_proof_in_op(op, &session).await?;
        self.access.issue(user, &session, now)
    }

    /// The session is on this device from now on. Somebody's row is locked before their session's.
    pub(crate) async fn bind_in_op(
        &self,
        op: &mut Op,
        user: &User,
        session: SessionId,
        device: BoundDevice,
    ) -> Result<AccessToken, SessionError> {
        let now = self.clock.now();
        // The caller may end others after it: all are locked in one order.
        repo::find_open_locked_in_op(op, user.id, Which::All, END_BATCH).await?;
        let found = repo::find_own_locked_in_op(op, user.id, session).await?;
        let session = found.filter(|session| session.goes_on(now)).ok_or(SessionError::Invalid)?;
        let session = Session { device: Some(device), ..session };
        repo::update_device_in_op(op, session.id, device).await?;
        self.access.issue(user, &session, now)
    }

    /// The session is used here and with this from now on, and here its owner is at home: nobody else has the token.
    pub(crate) async fn refresh(
        &self,
        token: &RefreshToken,
        origin: &Origin,
    ) -> Result<IssuedTokens, SessionError> {
        let mut op = common_db::begin(&self.pool).await?;
        let session = repo::find_locked_in_op(&mut op, token).await?.ok_or(SessionError::Invalid)?;
        let stored = repo::find_token_in_op(&mut op, token).await?.ok_or(SessionError::Invalid)?;
        let now = self.clock.now();
        let successor = match session.present(stored, now) {
            Decision::Rotate => {
                let successor = RefreshToken::random();
                let sealed = token.seal(&successor)?;
                repo::rotate_in_op(&mut op, &session, (&successor, &sealed), origin, now).await?;
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
        let access = self.access.issue(&user, &session, now)?;
        self.guard.welcome_in_op(&mut op, &user, origin).await?;
        op.commit().await?;
        Ok(IssuedTokens { access, refresh: successor })
    }

    async fn end_reused(&self, mut op: Op, session: &Session) -> Result<IssuedTokens, SessionError> {
        let open = Open { id: session.id, user_id: session.user_id, expires_at: session.expires_at };
        self.end_locked_in_op(&mut op, &[open], EndReason::Reuse, Actor::service(SERVICE_NAME)).await?;
        let owner = users_repo::find(&mut *op, session.user_id).await?.ok_or(UserError::NotFound)?;
        let to = owner.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(&mut op, &[Message::session_copied(&to, self.clock.now())]).await?;
        op.commit().await?;
        self.notices.wake();
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
        let mut op = common_db::begin(&self.pool).await?;
        let mut sessions = vec![SessionId::from(caller.claims.sid)];
        if let Some(token) = token {
            sessions.extend(repo::find_of_token_in_op(&mut op, caller.id, token).await?);
        }
        sessions.sort_unstable_by_key(|session| session.uuid());
        let mut ended = 0;
        for session in sessions {
            let which = Which::One(session);
            ended +=
                self.end_in_op(&mut op, caller.id, which, EndReason::Logout, Actor::user(caller.id)).await?;
        }
        op.commit().await?;
        tracing::info!(user_id = %caller.id, session_id = %caller.claims.sid, ended, "logged out");
        Ok(())
    }

    /// Those of the caller's sessions that go on.
    pub(crate) async fn list(&self, caller: &CurrentUser, page: &PageQuery) -> Result<Page<Listed>, Problem> {
        let before = paging::decode(page.cursor.as_deref())?;
        let limit = Limit::new(page.limit);
        let listed = repo::list(&self.pool, caller.id, before, limit.rows(), self.clock.now()).await;
        let listed = listed.map_err(SessionError::from)?;
        Ok(Page::from_rows(listed, limit, |session| session.id))
    }

    /// Ends one of the caller's sessions; it may have ended before.
    pub(crate) async fn end(&self, caller: &CurrentUser, session: SessionId) -> Result<(), SessionError> {
        let mut op = common_db::begin(&self.pool).await?;
        if !repo::is_of(&mut *op, caller.id, session).await? {
            return Err(SessionError::NotFound);
        }
        let (which, by) = (Which::One(session), Actor::user(caller.id));
        let ended = self.end_in_op(&mut op, caller.id, which, EndReason::Ended, by).await?;
        op.commit().await?;
        tracing::info!(user_id = %caller.id, session_id = %session, ended, "session ended by its owner");
        Ok(())
    }

    /// Ends many of the caller's sessions, some at a time.
    pub(crate) async fn end_many(&self, caller: &CurrentUser, which: Which) -> Result<(), SessionError> {
        let mut total = 0;
        loop {
            let mut op = common_db::begin(&self.pool).await?;
            let by = Actor::user(caller.id);
            let ended = self.end_in_op(&mut op, caller.id, which, EndReason::Ended, by).await?;
            op.commit().await?;
            total += ended;
            if ended < END_BATCH.unsigned_abs() {
                break;
            }
        }
        tracing::info!(user_id = %caller.id, ended = total, "sessions ended by their owner");
        Ok(())
    }

    /// Ends up to [`END_BATCH`] of somebody's sessions that go on, and tells how many. Whoever may leave more behind calls it
    /// again.
    pub(crate) async fn end_in_op(
        &self,
        op: &mut Op,
        user: UserId,
        which: Which,
        reason: EndReason,
        by: Actor,
    ) -> Result<u64, SessionError> {
        let open = repo::find_open_locked_in_op(op, user, which, END_BATCH).await?;
        self.end_locked_in_op(op, &open, reason, by).await?;
        Ok(open.len() as u64)
    }

    /// Ends the oldest sessions of who has as many as anybody may. Otherwise whoever knows a password could open so many that ending all
    /// of them takes longer than a request may.
    async fn make_room_in_op(&self, op: &mut Op, user: UserId) -> Result<(), SessionError> {
        let oldest = repo::find_beyond_locked_in_op(op, user, MOST_OPEN - 1, self.clock.now()).await?;
        self.end_locked_in_op(op, &oldest, EndReason::TooMany, Actor::service(SERVICE_NAME)).await
    }

    async fn end_locked_in_op(
        &self,
        op: &mut Op,
        open: &[Open],
        reason: EndReason,
        by: Actor,
    ) -> Result<(), SessionError> {
        if open.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let until = self.access.refused_until(now);
        let ids: Vec<SessionId> = open.iter().map(|session| session.id).collect();
        repo::end_in_op(op, &ids, reason, now).await?;
        let context = EventContext::new(SERVICE_NAME, by, now);
        let events = open.iter().map(|session| NewEvent::new(&context, &session.ended(reason, until, now)));
        let events = events.collect::<Result<Vec<_>, _>>().map_err(UserError::from)?;
        outbox::publish_in_op(op, &events).await.map_err(UserError::from)?;
        metrics::sessions_ended(reason.name(), open.len() as u64);
        Ok(())
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
