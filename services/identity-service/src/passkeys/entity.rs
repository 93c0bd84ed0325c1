//! A passkey, and when it proves that its owner is there.

use chrono::{DateTime, Utc};
use common_utils::{id_type, ids::UserId};
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PublicKeyCredential, Webauthn, WebauthnError,
};

use super::ceremony::Purpose;

id_type!(/// A passkey of somebody's.
    PasskeyId);

/// Of one person. Authenticators are told of all of them when another is made.
pub(crate) const MOST: usize = 20;
/// The standard's limit (Web Authentication, 5.1).
pub(crate) const LONGEST_CREDENTIAL_ID: usize = 1023;

/// As it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredPasskey {
    pub(crate) id: PasskeyId,
    pub(crate) user_id: UserId,
    /// How authenticators know the owner.
    pub(crate) handle: Uuid,
    pub(crate) credential: Passkey,
    pub(crate) disabled_at: Option<DateTime<Utc>>,
}

/// Why an answer proves nothing. Who gave it learns none of this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such passkey")]
    Unknown,
    #[error("it is the passkey of somebody else")]
    SomebodyElse,
    #[error("it was disabled")]
    Disabled,
    /// Its count of uses went back: another authenticator uses the same key.
    #[error("there seem to be two of it")]
    Cloned,
    #[error(transparent)]
    Invalid(WebauthnError),
}

impl From<WebauthnError> for Refusal {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            other => Self::Invalid(other),
        }
    }
}

impl StoredPasskey {
    /// Looks at an authenticator's answer to the ceremony's challenge, and remembers what it says of its use. Challenge, page, domain,
    /// presence and verification of the user, count of uses and signature are checked against this passkey as it is stored now.
    pub(crate) fn assert(
        &mut self,
        webauthn: &Webauthn,
        purpose: Purpose,
        answer: &PublicKeyCredential,
        state: DiscoverableAuthentication,
    ) -> Result<(), Refusal> {
        if !self.belongs_to(purpose, answer.get_user_unique_id()) {
            return Err(Refusal::SomebodyElse);
        }
        if self.disabled_at.is_some() {
            return Err(Refusal::Disabled);
        }
        let result = webauthn.finish_discoverable_authentication_v2(answer, state, &self.credential)?;
        self.credential.update_credential(&result);
        Ok(())
    }

    /// An authenticator names the person where it is asked who they are. Where that is known it need not, but says nothing else.
    fn belongs_to(&self, purpose: Purpose, named: Option<&[u8]>) -> bool {
        let known = purpose.user();
        let named_right = named.map(|handle| handle == self.handle.as_bytes());
        known.is_none_or(|user| user == self.user_id) && named_right.unwrap_or(known.is_some())
    }
}
