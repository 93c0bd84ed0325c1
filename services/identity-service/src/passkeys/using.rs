//! What a passkey is used for: to sign in with nothing else, to end a sign-in that began with a password, and to prove anew who is there.

use common_auth::{CurrentUser, Method};
use common_db::Op;
use common_utils::ids::UserId;
use uuid::Uuid;
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential, RequestChallengeResponse};
use webauthn_rs_proto::AllowCredentials;

use super::{
    Begun, Passkeys,
    ceremony::{CeremonyId, Purpose},
    entity::{Refusal, StoredPasskey},
    error::PasskeyError,
    repo,
};
use crate::{
    auth::SignedIn,
    crypto::token::SecretToken,
    metrics,
    notices::entity::Message,
    sessions::{AccessToken, Origin, Proof, entity::SessionId},
    users::{self, ContactKind, LockedUser, entity::User, error::UserError},
};

impl Passkeys {
    /// The same for everybody: the authenticator says who it is.
    pub(super) async fn start_signing_in(&self) -> Result<Begun<RequestChallengeResponse>, PasskeyError> {
        self.ask_for(Purpose::SignIn, Vec::new()).await
    }

    pub(super) async fn sign_in(
        &self,
        ceremony: CeremonyId,
        answer: &PublicKeyCredential,
        origin: &Origin,
    ) -> Result<SignedIn, PasskeyError> {
        let (op, user) = self.assert(ceremony, Purpose::SignIn, answer).await?;
        self.open(op, user, origin, vec![Method::Passkey]).await
    }

    /// For who has told the right password, and holds the challenge of that sign-in.
    pub(super) async fn start_second_factor(
        &self,
        token: &SecretToken,
    ) -> Result<Begun<RequestChallengeResponse>, PasskeyError> {
        let user = self.factors.owner_of(token).await?;
        self.ask_owner(second_factor(user, token), user).await
    }

    pub(super) async fn sign_in_by_second_factor(
        &self,
        token: &SecretToken,
        ceremony: CeremonyId,
        answer: &PublicKeyCredential,
        origin: &Origin,
    ) -> Result<SignedIn, PasskeyError> {
        let user = self.factors.owner_of(token).await?;
        let (mut op, user) = self.assert(ceremony, second_factor(user, token), answer).await?;
        let mut methods = self.factors.redeem_in_op(&mut op, token).await?;
        methods.push(Method::Passkey);
        self.open(op, user, origin, methods).await
    }

    /// Its owner was here, whatever failed before.
    async fn open(
        &self,
        mut op: Op,
        user: LockedUser,
        origin: &Origin,
        methods: Vec<Method>,
    ) -> Result<SignedIn, PasskeyError> {
        self.guard.proved_in_op(&mut op, &user, origin).await?;
        let proof = Proof::by(methods, self.clock.now());
        let tokens = self.sessions.open_in_op(&mut op, &user, origin, proof).await?;
        op.commit().await?;
        metrics::login("success");
        tracing::info!(user_id = %user.id, "logged in with a passkey");
        Ok(SignedIn { user: user.into(), tokens })
    }

    pub(super) async fn start_stepping_up(
        &self,
        caller: &CurrentUser,
    ) -> Result<Begun<RequestChallengeResponse>, PasskeyError> {
        self.ask_owner(stepping_up(caller), caller.id).await
    }

    pub(super) async fn step_up(
        &self,
        caller: &CurrentUser,
        ceremony: CeremonyId,
        answer: &PublicKeyCredential,
    ) -> Result<AccessToken, PasskeyError> {
        let (mut op, user) = self.assert(ceremony, stepping_up(caller), answer).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, Method::Passkey).await?;
        op.commit().await?;
        tracing::info!(user_id = %user.id, method = Method::Passkey.name(), "proved once more");
        Ok(access)
    }

    /// Of somebody who is known, only their own passkeys are asked for.
    async fn ask_owner(
        &self,
        purpose: Purpose,
        owner: UserId,
    ) -> Result<Begun<RequestChallengeResponse>, PasskeyError> {
        let usable = repo::usable_credentials(&self.pool, owner).await?;
        if usable.is_empty() { Err(PasskeyError::None) } else { self.ask_for(purpose, usable).await }
    }

    async fn ask_for(
        &self,
        purpose: Purpose,
        allowed: Vec<Vec<u8>>,
    ) -> Result<Begun<RequestChallengeResponse>, PasskeyError> {
        let (mut options, state) =
            self.webauthn.start_discoverable_authentication().map_err(PasskeyError::Ceremony)?;
        // Whether the browser offers passkeys while a name is typed, or in a window of its own, is the page's choice.
        options.mediation = None;
        let allowed = allowed.into_iter().map(|id| AllowCredentials {
            type_: "public-key".to_owned(),
            id,
            transports: None,
        });
        options.public_key.allow_credentials = allowed.collect();
        let ceremony = CeremonyId::new();
        repo::begin_ceremony(&self.pool, ceremony, purpose, &state, self.clock.now()).await?;
        Ok(Begun { ceremony, options })
    }

    /// Whoever has the passkey has proved to be its owner, whose row stays locked with the transaction.
    async fn assert(
        &self,
        ceremony: CeremonyId,
        purpose: Purpose,
        answer: &PublicKeyCredential,
    ) -> Result<(Op, LockedUser), PasskeyError> {
        let result = self.try_to_assert(ceremony, purpose, answer).await;
        metrics::passkey_used(purpose.name(), result.is_ok());
        result
    }

    async fn try_to_assert(
        &self,
        ceremony: CeremonyId,
        purpose: Purpose,
        answer: &PublicKeyCredential,
    ) -> Result<(Op, LockedUser), PasskeyError> {
        let state: DiscoverableAuthentication = self.take(ceremony, purpose).await?;
        let credential = answer.get_credential_id();
        let Some(owner) = repo::owner(&self.pool, credential).await? else {
            return Err(refused(purpose, None, &Refusal::Unknown));
        };
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, owner, &self.clock).await?;
        let user = user.ok_or(UserError::NotFound)?;
        // It may have been removed meanwhile.
        let Some(mut passkey) = repo::find_in_op(&mut op, credential).await? else {
            return Err(refused(purpose, Some(owner), &Refusal::Unknown));
        };
        if let Err(refusal) = passkey.assert(&self.webauthn, purpose, answer, state) {
            if matches!(refusal, Refusal::Cloned) {
                self.disable(op, &user, &passkey).await?;
            }
            return Err(refused(purpose, Some(owner), &refusal));
        }
        if !user.is_active() {
            return Err(PasskeyError::Inactive);
        }
        repo::used_in_op(&mut op, &passkey, self.clock.now()).await?;
        Ok((op, user))
    }

    /// There are two of it, and nobody can tell which is the owner's.
    async fn disable(&self, mut op: Op, user: &User, passkey: &StoredPasskey) -> Result<(), PasskeyError> {
        let now = self.clock.now();
        repo::disable_in_op(&mut op, passkey.id, now).await?;
        let notice = Message::passkey_disabled(&user.trusted_contact(ContactKind::Email), now);
        self.notices.write_in_op(&mut op, &[notice]).await?;
        op.commit().await?;
        self.notices.wake();
        metrics::passkey_cloned();
        tracing::warn!(user_id = %user.id, passkey_id = %passkey.id, "a passkey seems to have a copy: disabled");
        Ok(())
    }
}

/// Of the sign-in, the ceremony knows a part of the hash that it is stored under.
fn second_factor(user: UserId, token: &SecretToken) -> Purpose {
    let mut part = [0; 16];
    part.copy_from_slice(&token.hash()[..16]);
    Purpose::SecondFactor { user, challenge: Uuid::from_bytes(part) }
}

fn stepping_up(caller: &CurrentUser) -> Purpose {
    Purpose::StepUp { user: caller.id, session: caller.claims.sid }
}

/// The reason is for the operators alone.
fn refused(purpose: Purpose, owner: Option<UserId>, refusal: &Refusal) -> PasskeyError {
    let owner = owner.map(tracing::field::display);
    tracing::warn!(user_id = owner, purpose = purpose.name(), reason = %refusal, "passkey refused");
    match purpose {
        Purpose::SignIn | Purpose::SecondFactor { .. } => PasskeyError::NotSignedIn,
        Purpose::Register { .. } | Purpose::StepUp { .. } => PasskeyError::Rejected,
    }
}
