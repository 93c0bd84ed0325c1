//! A key for a token: the client credentials grant of RFC 6749 § 4.4.
//!
//! Steps: what is no key of ours is refused by its checksum → in one transaction the key is held, so that it cannot be revoked
//! meanwhile, and read with its owner → the secret is compared, whatever else is wrong → the token is signed for as long as an
//! access token lives, but not beyond the secret. The tokens are few, an hour's four, so each costs a transaction.

use chrono::{DateTime, Utc};
use common_auth::{Assurance, Claims, Scopes, claims::MACHINE_AUDIENCE};
use uuid::Uuid;

use super::{ApiKeys, entity::Presented, error::ExchangeError, repo, text::KeyText};
use crate::{metrics, sessions::AccessTokens};

/// What a client asks for, as it was sent.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) client_id: Uuid,
    pub(super) secret: Option<KeyText>,
    /// All that the key has, if it is left out.
    pub(super) scopes: Option<Scopes>,
}

#[derive(Debug)]
pub(super) struct MachineToken {
    pub(super) access: String,
    /// Seconds.
    pub(super) expires_in: i64,
    pub(super) scopes: Scopes,
}

impl ApiKeys {
    pub(super) async fn exchange(&self, asked: Exchange) -> Result<MachineToken, ExchangeError> {
        let client = asked.client_id;
        let exchanged = self.exchange_counted(asked).await;
        let outcome = match &exchanged {
            Ok(_) => "issued",
            Err(ExchangeError::InvalidScope) => "invalid_scope",
            Err(ExchangeError::Inactive) => "inactive",
            Err(ExchangeError::Signing(_) | ExchangeError::Database(_)) => "error",
            Err(_) => "invalid_client",
        };
        metrics::api_key_exchanged(outcome);
        if outcome == "invalid_client" {
            tracing::warn!(security = true, %client, "an API key was refused");
        }
        exchanged
    }

    async fn exchange_counted(&self, asked: Exchange) -> Result<MachineToken, ExchangeError> {
        let text = asked.secret.ok_or(ExchangeError::InvalidClient)?;
        let mut op = common_db::begin(&self.pool).await?;
        repo::hold_in_op(&mut op, text.id).await?;
        let known = repo::find_presented_in_op(&mut op, text.id).await?;
        let now = self.clock.now();
        let proved = known.filter(|known| text.is(&known.hash) && known.key.id.uuid() == asked.client_id);
        let known = proved.ok_or(ExchangeError::InvalidClient)?;
        let until = known.until(now).ok_or(ExchangeError::InvalidClient)?;
        if !known.owner_is_active {
            return Err(ExchangeError::Inactive);
        }
        let scopes = asked.scopes.unwrap_or_else(|| known.key.scopes.clone());
        if scopes.is_empty() || !scopes.within(&known.key.scopes) {
            return Err(ExchangeError::InvalidScope);
        }
        if known.is_to_be_noted(now) {
            repo::note_use_in_op(&mut op, text.id, now).await?;
        }
        let token = self.sign(&known, scopes, until, now)?;
        op.commit().await?;
        tracing::info!(user_id = %known.key.user_id, api_key = %known.key.id, scopes = %token.scopes, "API key exchanged");
        Ok(token)
    }

    fn sign(
        &self,
        known: &Presented,
        scopes: Scopes,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<MachineToken, ExchangeError> {
        let expires_in = self.access.longest().min(until - now).num_seconds();
        let (iat, nbf) = AccessTokens::dates(now);
        let claims = Claims {
            iss: self.access.issuer.clone(),
            aud: MACHINE_AUDIENCE.to_owned(),
            sub: known.key.user_id,
            sid: known.secret.id.uuid(),
            roles: Vec::new(),
            tier: known.owner_tier,
            iat,
            exp: iat.saturating_add(expires_in),
            nbf: Some(nbf),
            client_id: Some(known.key.id.uuid()),
            scope: Some(scopes.clone()),
            amr: Vec::new(),
            acr: Assurance::Aal1,
            auth_time: None,
            pin_time: None,
            factors: Vec::new(),
            dev_at: None,
        };
        let access = self.access.signer.sign(&claims).map_err(ExchangeError::Signing)?;
        Ok(MachineToken { access, expires_in, scopes })
    }
}
