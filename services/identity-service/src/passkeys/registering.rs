//! How a passkey is made: its owner has proved a moment ago who they are, and the authenticator makes a key for them alone.
//!
//! The first second factor of somebody comes with recovery codes: an authenticator may be lost. Making it is a proof as using it is, so the
//! session goes on as if it had been opened with it.

use common_auth::{CurrentUser, Method};
use common_db::Op;
use secrecy::SecretString;
use uuid::Uuid;
use webauthn_rs::prelude::{
    CreationChallengeResponse, Passkey, PasskeyRegistration, RegisterPublicKeyCredential,
};
use webauthn_rs_proto::{AuthenticatorSelectionCriteria, ResidentKeyRequirement};

use super::{
    Begun, Passkeys, active_in_op,
    ceremony::{CeremonyId, Purpose},
    entity::{LONGEST_CREDENTIAL_ID, MOST, PasskeyId},
    error::PasskeyError,
    repo::{self, Listed},
};
use crate::{
    begun,
    factors::error::FactorError,
    key_name::KeyName,
    metrics,
    passwords::proof,
    sessions::{AccessToken, entity::SessionId},
    users::{LockedUser, entity::User},
};

/// What somebody gets who has made a passkey.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) passkey: Listed,
    /// Of the first one.
    pub(super) recovery_codes: Vec<String>,
    pub(super) access: AccessToken,
}

impl Passkeys {
    /// Authenticators that hold one of the person's passkeys already are told to make no other.
    pub(super) async fn start_registering(
        &self,
        caller: &CurrentUser,
        password: Option<SecretString>,
    ) -> Result<Begun<CreationChallengeResponse>, PasskeyError> {
        self.factors.allow_another()?;
        let proved = self.factors.proofs.check_beside_factor(caller, password).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        proof::stands_in_op(&mut op, &user, proved.as_deref()).await?;
        let present = repo::credentials(&mut *op, user.id).await?;
        if present.len() >= MOST {
            return Err(PasskeyError::TooMany);
        }
        let handle = repo::handle_in_op(&mut op, user.id, fresh_handle()).await?;
        let (options, state) = self.ask(handle, &user, present)?;
        let ceremony = CeremonyId::new();
        let now = self.clock.now();
        repo::begin_ceremony(&mut *op, ceremony, registering(caller), &state, now).await?;
        op.commit().await?;
        Ok(Begun { ceremony, options })
    }

    fn ask(
        &self,
        handle: Uuid,
        user: &User,
        present: Vec<Vec<u8>>,
    ) -> Result<(CreationChallengeResponse, PasskeyRegistration), PasskeyError> {
        let name = format!("{} {}", user.first_name.as_str(), user.last_name.as_str());
        let (mut options, state) = self
            .webauthn
            .start_passkey_registration(handle, user.email.as_str(), &name, Some(present))
            .map_err(PasskeyError::Ceremony)?;
        // It has to be found without a name being typed.
        let selection = options.public_key.authenticator_selection.take().unwrap_or_default();
        options.public_key.authenticator_selection = Some(AuthenticatorSelectionCriteria {
            resident_key: Some(ResidentKeyRequirement::Required),
            require_resident_key: true,
            ..selection
        });
        Ok((options, state))
    }

    pub(super) async fn finish_registering(
        &self,
        caller: &CurrentUser,
        ceremony: CeremonyId,
        answer: &RegisterPublicKeyCredential,
        name: &KeyName,
    ) -> Result<Made, PasskeyError> {
        let result = self.register(caller, ceremony, answer, name).await;
        metrics::passkey_used("register", result.is_ok());
        result
    }

    async fn register(
        &self,
        caller: &CurrentUser,
        ceremony: CeremonyId,
        answer: &RegisterPublicKeyCredential,
        name: &KeyName,
    ) -> Result<Made, PasskeyError> {
        self.factors.allow_another()?;
        let state: PasskeyRegistration = self.take(ceremony, registering(caller)).await?;
        let passkey = self.webauthn.finish_passkey_registration(answer, &state).map_err(|error| {
            tracing::warn!(user_id = %caller.id, %error, "a passkey was not registered");
            PasskeyError::Rejected
        })?;
        if passkey.cred_id().len() > LONGEST_CREDENTIAL_ID {
            return Err(PasskeyError::Rejected);
        }
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, caller.id, &self.clock).await?;
        begun::require(&user, caller).map_err(FactorError::from)?;
        let made = self.add_in_op(&mut op, &mut user, caller, &passkey, name).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, passkey_id = %made.passkey.id, "passkey registered");
        Ok(made)
    }

    async fn add_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        caller: &CurrentUser,
        passkey: &Passkey,
        name: &KeyName,
    ) -> Result<Made, PasskeyError> {
        if repo::credentials(&mut **op, user.id).await?.len() >= MOST {
            return Err(PasskeyError::TooMany);
        }
        let (id, now) = (PasskeyId::new(), self.clock.now());
        repo::insert_in_op(op, id, user.id, passkey, name, now).await?;
        let recovery_codes = self.factors.add_second_in_op(op, user, Method::Passkey).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(op, user, session, Method::Passkey).await?;
        let passkey = Listed {
            id: id.uuid(),
            name: name.as_str().to_owned(),
            created_at: now,
            last_used_at: None,
            disabled_at: None,
        };
        Ok(Made { passkey, recovery_codes, access })
    }
}

fn registering(caller: &CurrentUser) -> Purpose {
    Purpose::Register { user: caller.id, session: caller.claims.sid }
}

/// How authenticators know the person: 122 random bits.
fn fresh_handle() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}
