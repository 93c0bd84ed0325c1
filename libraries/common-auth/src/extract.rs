//! Extractors: a handler states in its arguments who may call it.
//!
//! - [`CurrentUser`]: anybody who is signed in;
//! - [`LeavingUser`]: the same, or somebody who has just signed out;
//! - [`Staff<P>`]: somebody whose role has the permission `P`;
//! - [`StepUp<R>`](crate::StepUp): somebody who has proved a moment ago who they are;
//! - [`ServiceCaller`]: another service, on `/internal/v1`.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use common_utils::{clock::SharedClock, config::Env, http::Problem, ids::UserId};

use crate::{
    Claims, Role, claims::DEFAULT_ISSUER, revocation, secret::JwtSecret, service_token::ServiceTokens,
    verify::TokenVerifier,
};

/// What a service needs to tell who is calling; part of its state.
#[derive(Debug, Clone)]
pub struct Authenticator {
    pub tokens: Arc<TokenVerifier>,
    pub services: ServiceTokens,
}

impl Authenticator {
    /// For every service but identity, which has the key itself: reads `JWT_ISSUER`, `JWT_EXPIRES_IN` and `IDENTITY_URL`, or
    /// `JWT_SECRET`.
    pub fn from_env(env: &Env, clock: &SharedClock) -> anyhow::Result<Self> {
        let issuer = env.text("JWT_ISSUER", DEFAULT_ISSUER);
        let tokens = match JwtSecret::from_env(env)? {
            Some(secret) => TokenVerifier::with_secret(&issuer, &secret, Arc::clone(clock)),
            None => TokenVerifier::with_jwks(&issuer, &env.identity_url(), Arc::clone(clock))?,
        };
        let lifetime = env.duration("JWT_EXPIRES_IN", revocation::DEFAULT_LIFETIME)?;
        Ok(Self {
            tokens: Arc::new(tokens.living(lifetime)),
            services: ServiceTokens::from_env(env, Arc::clone(clock))?,
        })
    }
}

/// The person who is signed in.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub id: UserId,
    pub claims: Arc<Claims>,
}

impl CurrentUser {
    pub fn has(&self, role: Role) -> bool {
        self.claims.roles.contains(&role)
    }
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let claims = Authenticator::from_ref(state).tokens.verify(token).await?;
        Ok(Self { id: claims.sub, claims })
    }
}

/// Somebody with a token of ours that is in force, though its session may have ended: for signing out, which may be repeated
/// when the answer was lost.
#[derive(Debug, Clone)]
pub struct LeavingUser(pub CurrentUser);

impl<S> FromRequestParts<S> for LeavingUser
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let claims = Authenticator::from_ref(state).tokens.verify_signed(token).await?;
        Ok(Self(CurrentUser { id: claims.sub, claims }))
    }
}

/// A permission, and the roles that have it.
pub trait Permission: Send + Sync {
    const ROLES: &'static [Role];
}

/// Declares permissions: `permissions! { /// Works on tickets. Tickets = [Support, Admin]; }`
#[macro_export]
macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = [$($role:ident),+];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl $crate::Permission for $name {
                const ROLES: &'static [$crate::Role] = &[$($crate::Role::$role),+];
            }
        )*
    };
}

/// A member of staff with the permission `P`.
#[derive(Debug, Clone)]
pub struct Staff<P> {
    pub id: UserId,
    pub claims: Arc<Claims>,
    permission: PhantomData<P>,
}

impl<S, P> FromRequestParts<S> for Staff<P>
where
    S: Send + Sync,
    P: Permission,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        if P::ROLES.iter().any(|role| user.has(*role)) {
            Ok(Self { id: user.id, claims: user.claims, permission: PhantomData })
        } else {
            Err(Problem::forbidden("Your role does not allow this."))
        }
    }
}

/// Another service of the platform.
#[derive(Debug, Clone)]
pub struct ServiceCaller {
    pub name: String,
}

impl<S> FromRequestParts<S> for ServiceCaller
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        Authenticator::from_ref(state)
            .services
            .verify(token)
            .map(|name| Self { name })
            .ok_or_else(|| Problem::unauthenticated("This call takes a service token."))
    }
}

/// The one bearer token of the call. Two different ones would leave open who is meant.
fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let missing = || Problem::unauthenticated("Sign in, and send `Authorization: Bearer <access token>`.");
    let value = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(Problem::unauthenticated("Send one Authorization header."));
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
