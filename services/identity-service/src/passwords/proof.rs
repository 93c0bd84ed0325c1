//! The password once more, from somebody who is signed in: before a password, an address or a number is changed, something is
//! added that signs in, or an account closed. Whoever found an unlocked phone has a few guesses, and then waits; its owner is
//! told when they have had those of a day.

use axum::http::StatusCode;
use common_auth::{
    CurrentUser,
    password::{PasswordError, Passwords},
};
use common_db::{Op, PgPool, constraint};
use common_utils::{clock::SharedClock, http::Problem, ids::UserId};
use secrecy::SecretString;

use super::repo;
use crate::{
    allowances::{Allowance, Allowances, Counted, TooOften},
    notices::{NoticeError, Notices, entity::Message},
    users::{self, ContactKind, entity::User, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Proofs {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Passwords,
    pub(crate) allowances: Allowances,
    pub(crate) notices: Notices,
    pub(crate) clock: SharedClock,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    #[error("the password is wrong")]
    Wrong,
    #[error("the password is missing")]
    Missing,
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Proofs {
    /// Counted before it is looked at, so that no two at once count as one. Answers the hash of the password.
    pub(crate) async fn check(&self, user: UserId, password: SecretString) -> Result<String, ProofError> {
        let left = self.count(user).await?;
        let hash = repo::find_hash(&self.pool, user).await?;
        if !self.passwords.verify(password, hash.clone()).await? {
            tracing::warn!(user_id = %user, "a wrong password from who is signed in");
            if left == 0 {
                self.tell(user).await?;
            }
            return Err(ProofError::Wrong);
        }
        self.allowances.give_back(Counted::ProofsBy(user)).await?;
        self.allowances.give_back(Counted::ProofsADayBy(user)).await?;
        hash.ok_or(ProofError::Wrong)
    }

    /// Tells how many more may be tried today.
    async fn count(&self, user: UserId) -> Result<usize, ProofError> {
        let mut op = common_db::begin(&self.pool).await?;
        self.allowances.take_in_op(&mut op, Counted::ProofsBy(user), Allowance::PROOFS).await??;
        let a_day = Counted::ProofsADayBy(user);
        let left = self.allowances.take_in_op(&mut op, a_day, Allowance::PASSWORDS_A_DAY).await??;
        op.commit().await?;
        Ok(left)
    }

    /// Their owner: whoever guesses has a session of theirs.
    async fn tell(&self, user: UserId) -> Result<(), ProofError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find(&mut *op, user).await?.ok_or(UserError::NotFound)?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(&mut op, &[Message::passwords_guessed(&to, self.clock.now())]).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::warn!(user_id = %user.id, security = true, "who is signed in guesses passwords: no more for a day");
        Ok(())
    }

    /// In a call that adds what signs in. Who has no second factor tells the password in it, so that a token alone adds nothing; who has one
    /// has just given it, which the route sees to. Answers what [`stands_in_op`] takes.
    pub(crate) async fn check_beside_factor(
        &self,
        caller: &CurrentUser,
        password: Option<SecretString>,
    ) -> Result<Option<String>, ProofError> {
        match password {
            Some(password) => self.check(caller.id, password).await.map(Some),
            None if caller.claims.has_second_factor() => Ok(None),
            None => Err(ProofError::Missing),
        }
    }
}

/// Whether the password is still the one that was proved, under the lock of the person's row: whoever proved an old one is too late.
pub(crate) async fn holds_in_op(op: &mut Op, user: UserId, proved: &str) -> Result<(), ProofError> {
    let stored = repo::find_hash(&mut **op, user).await?;
    if stored.as_deref() == Some(proved) { Ok(()) } else { Err(ProofError::Wrong) }
}

/// The same where a second factor may have stood for the password: it still does.
pub(crate) async fn stands_in_op(op: &mut Op, user: &User, proved: Option<&str>) -> Result<(), ProofError> {
    match proved {
        Some(proved) => holds_in_op(op, user.id, proved).await,
        None if user.second_factors().is_empty() => Err(ProofError::Missing),
        None => Ok(()),
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Wrong => {
                Self::invalid_field("currentPassword", "wrong_password", "is not your password")
            }
            ProofError::Missing => {
                Self::invalid_field("currentPassword", "required", "is asked of who has no second factor")
            }
            ProofError::TooOften(too_often) => {
                let detail = "Too many wrong passwords. Try again later, or reset your password.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(too_often.wait())
            }
            ProofError::Notice(error) => error.into(),
            ProofError::User(error) => error.into(),
            ProofError::Password(error) => error.into(),
            ProofError::Database(error) => constraint::problem(error),
        }
    }
}
