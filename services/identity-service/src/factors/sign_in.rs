//! The second half of a sign-in: a code for a challenge.
//!
//! A wrong code is a sign-in that failed, and waits as a wrong password does (`guard`): counted before it is looked at, beside the attempts of the
//! challenge. The right password ends no count of codes: else whoever knows it would guess them without end.

use common_auth::Method;
use common_db::Op;
use common_utils::ids::UserId;

use super::{
    Evidence, Factors, active_in_op,
    challenge::{self, Challenge},
    error::FactorError,
    repo,
};
use crate::{
    auth::SignedIn,
    crypto::token::SecretToken,
    guard::{Attempt, error::GuardError},
    metrics,
    sessions::{Origin, Proof},
    users::entity::User,
};

impl Factors {
    /// For somebody who has just proved `methods`, and whose row is locked.
    pub(crate) async fn challenge_in_op(
        &self,
        op: &mut Op,
        user: &User,
        methods: &[Method],
    ) -> sqlx::Result<Challenge> {
        let (challenge, now) = (Challenge::for_user(user), self.clock.now());
        let expires_at = now + challenge::LIFETIME;
        repo::make_room_in_op(op, user.id, challenge::MOST_OPEN - 1).await?;
        repo::insert_challenge_in_op(op, user.id, &challenge.token, methods, (now, expires_at)).await?;
        Ok(challenge)
    }

    /// Whose sign-in it is, while it is in force.
    pub(crate) async fn owner_of(&self, token: &SecretToken) -> Result<UserId, FactorError> {
        let owner = repo::find_owner(&self.pool, token, self.clock.now()).await?;
        owner.ok_or(FactorError::ChallengeExpired)
    }

    /// Ends the challenge of somebody who has just proved a second factor otherwise than by a code, and tells what they proved before.
    /// Their row is locked.
    pub(crate) async fn redeem_in_op(
        &self,
        op: &mut Op,
        token: &SecretToken,
    ) -> Result<Vec<Method>, FactorError> {
        let found = repo::find_challenge_locked_in_op(op, token).await?;
        let mut challenge = found.ok_or(FactorError::ChallengeExpired)?;
        if !challenge.attempt(self.clock.now()) {
            return Err(FactorError::ChallengeExpired);
        }
        repo::delete_challenge_in_op(op, token).await?;
        Ok(challenge.methods)
    }

    /// Signs in who holds the challenge and gives their second factor.
    pub(crate) async fn complete(
        &self,
        token: &SecretToken,
        evidence: Evidence,
        origin: &Origin,
    ) -> Result<SignedIn, FactorError> {
        let user = self.users.get(self.owner_of(token).await?).await?;
        let counted = self.guard.second_attempt(&user, origin).await;
        let attempt = counted.inspect_err(|error| {
            let held_back = matches!(error, GuardError::TooMany { .. });
            metrics::login(if held_back { "held_back" } else { "error" });
        })?;
        let result = self.try_to_complete(user, token, &evidence, (&attempt, origin)).await;
        match &result {
            Ok(SignedIn { user, .. }) => {
                metrics::login("success");
                self.notices.wake();
                tracing::info!(user_id = %user.id, method = evidence.method().name(), "logged in");
            }
            Err(FactorError::Wrong) => metrics::login("invalid_code"),
            Err(_) => self.guard.take_back(&attempt, false).await?,
        }
        result
    }

    async fn try_to_complete(
        &self,
        user: User,
        token: &SecretToken,
        evidence: &Evidence,
        (attempt, origin): (&Attempt, &Origin),
    ) -> Result<SignedIn, FactorError> {
        let now = self.clock.now();
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, user.id, &self.clock).await?;
        let found = repo::find_challenge_locked_in_op(&mut op, token).await?;
        let mut challenge = found.ok_or(FactorError::ChallengeExpired)?;
        if !challenge.attempt(now) {
            return Err(FactorError::ChallengeExpired);
        }
        if !user.factors.contains(&evidence.method()) {
            return Err(FactorError::NotAccepted(user.second_factors()));
        }
        if !self.check_in_op(&mut op, &user, evidence).await? {
            repo::count_attempt_in_op(&mut op, token, challenge.attempts).await?;
            op.commit().await?;
            return Err(FactorError::Wrong);
        }
        repo::delete_challenge_in_op(&mut op, token).await?;
        self.guard.succeeded_in_op(&mut op, attempt, &user, origin).await?;
        let methods = challenge.methods.into_iter().chain([evidence.method()]);
        let tokens = self.sessions.open_in_op(&mut op, &user, origin, Proof::by(methods, now)).await?;
        op.commit().await?;
        Ok(SignedIn { user: user.into(), tokens })
    }
}
