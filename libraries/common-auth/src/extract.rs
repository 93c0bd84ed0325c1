//! Callers: a handler states in its arguments who may call it, and `routes!` takes none that does not.
//!
//! - [`CurrentUser`]: anybody who is signed in;
//! - [`PersonOrMachine<N>`]: the same, or a machine with the scope `N`;
//! - [`LeavingUser`]: the same, or somebody who has just signed out;
//! - [`Staff<P>`]: somebody whose role has the permission `P`;
//! - [`StepUp<R>`](crate::StepUp): somebody who has proved a moment ago who they are;
//! - [`ServiceCaller<P>`]: another service that has the permission `P`, on `/internal/v1`;
//! - [`Anybody<R>`]: whoever calls, for the reason `R`.
//!
//! ```
//! use common_auth::{CurrentUser, Staff, permissions::WorkOnTickets};
//! use common_utils::http::{Access, Routes, routes};
//!
//! # type State = common_auth::Authenticator;
//! #[utoipa::path(get, path = "/balance")]
//! async fn balance(user: CurrentUser) -> String {
//!     user.id.to_string()
//! }
//!
//! #[utoipa::path(get, path = "/tickets")]
//! async fn tickets(_: axum::extract::State<State>, _: Staff<WorkOnTickets>) {}
//!
//! let routes = Routes::<State>::new().routes(routes!(balance, tickets));
//! let who: Vec<Access> = routes.table().iter().map(|route| route.access).collect();
//! assert_eq!(who, [Access::SignedIn, Access::Staff("WorkOnTickets")]);
//! ```
//!
//! Who forgets it is told by the compiler:
//!
//! ```compile_fail
//! # use common_utils::http::{Routes, routes};
//! # type State = common_auth::Authenticator;
//! #[utoipa::path(get, path = "/balance")]
//! async fn balance(_: axum::extract::State<State>) {}
//! let routes = Routes::<State>::new().routes(routes!(balance));
//! ```
//!
//! And so is who says it twice, or lets something else be read before the caller is known:
//!
//! ```compile_fail
//! # use common_auth::{CurrentUser, Staff, permissions::WorkOnTickets};
//! # use common_utils::http::{Routes, routes};
//! # type State = common_auth::Authenticator;
//! #[utoipa::path(get, path = "/balance")]
//! async fn balance(_: CurrentUser, _: Staff<WorkOnTickets>) {}
//! let routes = Routes::<State>::new().routes(routes!(balance));
//! ```
//!
//! ```compile_fail
//! # use common_auth::CurrentUser;
//! # use common_utils::http::{Routes, routes};
//! # type State = common_auth::Authenticator;
//! #[utoipa::path(get, path = "/balance")]
//! async fn balance(_: axum::http::HeaderMap, _: CurrentUser) {}
//! let routes = Routes::<State>::new().routes(routes!(balance));
//! ```

use std::{convert::Infallible, marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use common_utils::{
    clock::SharedClock,
    config::Env,
    http::{Access, Caller, Problem},
    ids::UserId,
};

use crate::{
    Claims, Role,
    claims::DEFAULT_ISSUER,
    permissions::{Permission, Reason, ServicePermission},
    revocation,
    scopes::Needed,
    secret::JwtSecret,
    service_token::ServiceTokens,
    verify::TokenVerifier,
};

/// What a service needs to tell who is calling; part of its state.
#[derive(Debug, Clone)]
pub struct Authenticator {
    pub tokens: Arc<TokenVerifier>,
    pub services: ServiceTokens,
}

impl Authenticator {
    /// For every `service` but identity, which has the key itself: reads `JWT_ISSUER`, `JWT_EXPIRES_IN` and `IDENTITY_URL`, or
    /// `JWT_SECRET`, and what its service tokens are made with.
    pub fn from_env(env: &Env, service: &str, clock: &SharedClock) -> anyhow::Result<Self> {
        let issuer = env.text("JWT_ISSUER", DEFAULT_ISSUER);
        let tokens = match JwtSecret::from_env(env)? {
            Some(secret) => TokenVerifier::with_secret(&issuer, &secret, Arc::clone(clock)),
            None => TokenVerifier::with_jwks(&issuer, &env.identity_url(), Arc::clone(clock))?,
        };
        let lifetime = env.duration("JWT_EXPIRES_IN", revocation::DEFAULT_LIFETIME)?;
        Ok(Self {
            tokens: Arc::new(tokens.living(lifetime)),
            services: ServiceTokens::from_env(env, service, Arc::clone(clock))?,
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

impl Caller for CurrentUser {
    const ACCESS: Access = Access::SignedIn;
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

impl Caller for LeavingUser {
    const ACCESS: Access = Access::Leaving;
}

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

/// Somebody who is signed in, or a machine that acts for them with the scope `N`.
#[derive(Debug, Clone)]
pub struct PersonOrMachine<N> {
    /// The person, in either case: a machine reaches what is its owner's.
    pub id: UserId,
    pub claims: Arc<Claims>,
    needed: PhantomData<N>,
}

impl<N: Needed> Caller for PersonOrMachine<N> {
    const ACCESS: Access = Access::SignedInOrMachine(N::NAME);
}

impl<S, N> FromRequestParts<S> for PersonOrMachine<N>
where
    S: Send + Sync,
    N: Needed,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let claims = Authenticator::from_ref(state).tokens.verify_for(N::SCOPE, token).await?;
        Ok(Self { id: claims.sub, claims, needed: PhantomData })
    }
}

/// A member of staff with the permission `P`.
#[derive(Debug, Clone)]
pub struct Staff<P> {
    pub id: UserId,
    pub claims: Arc<Claims>,
    permission: PhantomData<P>,
}

impl<P: Permission> Caller for Staff<P> {
    const ACCESS: Access = Access::Staff(P::NAME);
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
        if P::is_held_by(&user.claims.roles) {
            Ok(Self { id: user.id, claims: user.claims, permission: PhantomData })
        } else {
            Err(Problem::forbidden("Your role does not allow this."))
        }
    }
}

/// Another service of the platform, with the permission `P`.
#[derive(Debug, Clone)]
pub struct ServiceCaller<P> {
    pub name: String,
    permission: PhantomData<P>,
}

impl<P: ServicePermission> Caller for ServiceCaller<P> {
    const ACCESS: Access = Access::Service(P::NAME);
}

impl<S, P> FromRequestParts<S> for ServiceCaller<P>
where
    S: Send + Sync,
    P: ServicePermission,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let name = Authenticator::from_ref(state)
            .services
            .verify(token)
            .ok_or_else(|| Problem::unauthenticated("This call takes a service token."))?;
        if P::is_held_by(&name) {
            return Ok(Self { name, permission: PhantomData });
        }
        tracing::warn!(
            security = true,
            caller = name,
            permission = P::NAME,
            "a service asked for what it may not"
        );
        Err(Problem::forbidden("This service may not call this."))
    }
}

/// Whoever calls. `R` says why that is right.
#[derive(Debug, Clone, Copy)]
pub struct Anybody<R> {
    reason: PhantomData<R>,
}

impl<R: Reason> Caller for Anybody<R> {
    const ACCESS: Access = Access::Anybody(R::NAME);
}

impl<S, R> FromRequestParts<S> for Anybody<R>
where
    S: Send + Sync,
    R: Reason,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { reason: PhantomData })
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
