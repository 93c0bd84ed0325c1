//! Who is signed in proves once more who they are, and gets an access token that says so.
//!
//! The password is taken from those alone who have no second factor: who holds somebody's session may know their password, too. Codes are
//! counted before they are looked at, by counts of their own: the right password gives none of them back.

use common_auth::{CurrentUser, Method};
use secrecy::SecretString;

use super::{Evidence, Factors, active_in_op, error::FactorError};
use crate::{
    allowances::{Allowance, Counted},
    passwords::proof::{self, ProofError},
    sessions::{AccessToken, entity::SessionId},
    users::entity::User,
};

/// What somebody gives who is signed in.
#[derive(Debug)]
pub(crate) enum Reproof {
    Password(SecretString),
    SecondFactor(Evidence),
}

impl Factors {
    pub(crate) async fn step_up(
        &self,
        caller: &CurrentUser,
        given: Reproof,
    ) -> Result<AccessToken, FactorError> {
        let method = match &given {
            Reproof::Password(_) => Method::Password,
            Reproof::SecondFactor(evidence) => evidence.method(),
        };
        accepts(&self.users.get(caller.id).await?, method)?;
        let access = match given {
            Reproof::Password(password) => self.by_password(caller, password).await?,
            Reproof::SecondFactor(evidence) => self.by_second_factor(caller, evidence).await?,
        };
        self.notices.wake();
        tracing::info!(user_id = %caller.id, method = method.name(), "proved once more");
        Ok(access)
    }

    async fn by_password(
        &self,
        caller: &CurrentUser,
        password: SecretString,
    ) -> Result<AccessToken, FactorError> {
        let proved = self.proofs.check(caller.id, password).await.map_err(by_its_field)?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        accepts(&user, Method::Password)?;
        proof::holds_in_op(&mut op, user.id, &proved).await.map_err(by_its_field)?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, Method::Password).await?;
        op.commit().await?;
        Ok(access)
    }

    async fn by_second_factor(
        &self,
        caller: &CurrentUser,
        evidence: Evidence,
    ) -> Result<AccessToken, FactorError> {
        self.count_code(caller).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        if !self.check_in_op(&mut op, &user, &evidence).await? {
            return Err(FactorError::Wrong);
        }
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, evidence.method()).await?;
        op.commit().await?;
        self.forget_counted_codes(caller).await?;
        Ok(access)
    }

    /// Whoever is signed in guesses so many codes and then waits.
    pub(super) async fn count_code(&self, caller: &CurrentUser) -> Result<(), FactorError> {
        let mut op = common_db::begin(&self.pool).await?;
        self.allowances.take_in_op(&mut op, Counted::CodesBy(caller.id), Allowance::PROOFS).await??;
        self.allowances
            .take_in_op(&mut op, Counted::CodesADayBy(caller.id), Allowance::CODES_A_DAY)
            .await??;
        op.commit().await?;
        Ok(())
    }

    /// One was right.
    pub(super) async fn forget_counted_codes(&self, caller: &CurrentUser) -> sqlx::Result<()> {
        self.allowances.give_back(Counted::CodesBy(caller.id)).await?;
        self.allowances.give_back(Counted::CodesADayBy(caller.id)).await
    }
}

/// Here the password has a field of another name than beside other calls.
fn by_its_field(error: ProofError) -> FactorError {
    match error {
        ProofError::Wrong => FactorError::WrongPassword,
        other => other.into(),
    }
}

fn accepts(user: &User, method: Method) -> Result<(), FactorError> {
    let second = user.second_factors();
    let accepted = if second.is_empty() { vec![Method::Password] } else { second };
    if accepted.contains(&method) { Ok(()) } else { Err(FactorError::NotAccepted(accepted)) }
}
