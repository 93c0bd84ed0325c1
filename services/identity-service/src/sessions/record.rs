//! Whether a token still holds, by the row of its session and of its owner: here nothing has to be heard of first.

use async_trait::async_trait;
use chrono::DateTime;
use common_auth::{
    Claims, Method, Role,
    revocation::Standing,
    verify::{SessionRecord, TokenError},
};
use common_db::PgPool;

use super::repo;

pub(crate) struct OwnRecord(pub(crate) PgPool);

/// What is known of a session's owner.
pub(crate) struct Known {
    pub(crate) ended: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) kyc_tier: i16,
    pub(crate) status: String,
    pub(crate) factors: Vec<String>,
}

#[async_trait]
impl SessionRecord for OwnRecord {
    async fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        let known = repo::known(&self.0, claims.sid, claims.sub).await;
        let known = known.map_err(|error| TokenError::SessionsUnavailable(error.into()))?;
        // A session that is not there was forgotten long after its tokens had expired, or never was.
        let Some(known) = known.filter(|known| !known.ended) else { return Err(TokenError::Ended) };
        let roles: Vec<Role> = known.roles.iter().filter_map(|role| role.parse().ok()).collect();
        let active = known.status == "active";
        let standing = Standing { since: DateTime::UNIX_EPOCH, roles, tier: known.kyc_tier, active };
        standing.check(claims)?;
        let second = |factor: &String| factor.parse().is_ok_and(Method::is_second_factor);
        // It would let somebody in who is to give a second factor by now.
        let outdated = !claims.has_second_factor() && known.factors.iter().any(second);
        if outdated { Err(TokenError::Outdated) } else { Ok(()) }
    }
}
