//! [`StepUp<R>`]: the caller of a sensitive call, who has proved who they are a moment ago (RFC 9470).
//!
//! It stands in a handler's arguments in the place of `CurrentUser`. A proof that is too old or too weak is refused with 403
//! `step_up_required`, which names what a fresh one may be given with: whoever has a second factor gives that one, because whoever holds
//! their session may well know the password, too. identity-service takes the proof and answers a new access token, with which
//! the call is repeated.
//!
//! Where only some calls of a route are sensitive, by what is in their body, [`require`] asks the same of the caller's claims.

use std::marker::PhantomData;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderValue, request::Parts},
};
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::http::{Access, Caller, Problem};

use crate::{
    Authenticator, Claims, CurrentUser,
    proof::{Assurance, Method},
};

/// What a call asks of its caller's proof.
pub trait Requirement: Send + Sync {
    const NAME: &'static str;
    /// The proof is no older than this.
    const MAX_AGE: TimeDelta = TimeDelta::minutes(5);
    /// Asked of those alone who have a second factor: the others tell their password in the call itself.
    const ONLY_SECOND_FACTORS: bool = false;
    /// The transaction PIN will do.
    const PIN: bool = false;
}

/// A proof of the last five minutes.
#[derive(Debug, Clone, Copy)]
pub struct Fresh;

impl Requirement for Fresh {
    const NAME: &'static str = "Fresh";
}

/// The call takes the password, which is not enough from who has a second factor. Of who has none this asks nothing: the handler
/// itself has to have the password of its body checked, or a stolen token is enough.
#[derive(Debug, Clone, Copy)]
pub struct BesidePassword;

impl Requirement for BesidePassword {
    const NAME: &'static str = "BesidePassword";
    const ONLY_SECOND_FACTORS: bool = true;
}

/// What was begun with a fresh proof, or with the password, is finished. Who has got a second factor since then gives that one: whoever
/// began it may not be able to. Nothing waits for longer than a quarter of an hour to be finished, so who began it with their second factor is
/// not asked again.
#[derive(Debug, Clone, Copy)]
pub struct Finishing;

impl Requirement for Finishing {
    const NAME: &'static str = "Finishing";
    const MAX_AGE: TimeDelta = TimeDelta::minutes(20);
    const ONLY_SECOND_FACTORS: bool = true;
}

/// A payment is approved: by the transaction PIN of the last five minutes, or by any other fresh proof.
#[derive(Debug, Clone, Copy)]
pub struct Approval;

impl Requirement for Approval {
    const NAME: &'static str = "Approval";
    const PIN: bool = true;
}

/// Somebody who is signed in and fulfils `R`.
#[derive(Debug, Clone)]
pub struct StepUp<R> {
    pub user: CurrentUser,
    requirement: PhantomData<R>,
}

impl<R: Requirement> Caller for StepUp<R> {
    const ACCESS: Access = Access::SteppedUp(R::NAME);
}

impl<S, R> FromRequestParts<S> for StepUp<R>
where
    S: Send + Sync,
    R: Requirement,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        let now = Authenticator::from_ref(state).tokens.now();
        require::<R>(&user.claims, now)?;
        Ok(Self { user, requirement: PhantomData })
    }
}

/// Refuses who does not fulfil `R` now, as [`StepUp`] does.
pub fn require<R: Requirement>(claims: &Claims, now: DateTime<Utc>) -> Result<(), Problem> {
    if is_fulfilled::<R>(claims, now) { Ok(()) } else { Err(refusal::<R>(claims)) }
}

fn is_fulfilled<R: Requirement>(claims: &Claims, now: DateTime<Utc>) -> bool {
    let fresh = |at: i64| now.timestamp().saturating_sub(at) <= R::MAX_AGE.num_seconds();
    let strong = !claims.has_second_factor() || claims.acr == Assurance::Aal2;
    let spared = R::ONLY_SECOND_FACTORS && !claims.has_second_factor();
    let approved = R::PIN && claims.pin_time.is_some_and(fresh);
    spared || approved || (strong && fresh(claims.proved_at()))
}

fn refusal<R: Requirement>(claims: &Claims) -> Problem {
    let second = claims.factors.iter().copied().filter(|method| method.is_second_factor());
    let mut accepted: Vec<Method> = second.collect();
    let mut level = Assurance::Aal2;
    if accepted.is_empty() {
        accepted.push(Method::Password);
        level = Assurance::Aal1;
    }
    let has = |method| claims.factors.contains(&method);
    if has(Method::Device) {
        accepted.push(Method::Device);
    }
    if R::PIN && has(Method::Pin) {
        accepted.push(Method::Pin);
    }
    let challenge = format!(
        r#"Bearer error="insufficient_user_authentication", error_description="A fresh proof is needed", acr_values="{}", max_age="{}""#,
        level.name(),
        R::MAX_AGE.num_seconds(),
    );
    let methods = accepted.into_iter().map(Method::name).collect();
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => Problem::step_up_required(methods, challenge),
        Err(error) => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use common_utils::ids::UserId;

    use super::*;
    use crate::testing;

    const MINUTE: i64 = 60;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// Somebody who signed in at the beginning of time.
    fn claims(amr: &[Method], factors: &[Method]) -> Claims {
        let claims = testing::claims(UserId::new(), at(0));
        Claims { amr: amr.to_vec(), acr: Assurance::of(amr), factors: factors.to_vec(), ..claims }
    }

    #[test]
    fn a_proof_is_fresh_for_five_minutes() {
        let claims = claims(&[Method::Password], &[]);
        assert!(is_fulfilled::<Fresh>(&claims, at(5 * MINUTE)));
        assert!(!is_fulfilled::<Fresh>(&claims, at(5 * MINUTE + 1)));
        let ahead = Claims { auth_time: Some(5), ..claims };
        assert!(is_fulfilled::<Fresh>(&ahead, at(0)), "the clock of who signed it is ahead");
    }

    #[test]
    fn a_token_of_the_release_before_is_as_old_as_itself() {
        let before = Claims { auth_time: None, amr: vec![], ..claims(&[Method::Password], &[]) };
        assert!(is_fulfilled::<Fresh>(&before, at(5 * MINUTE)) && !is_fulfilled::<Fresh>(&before, at(301)));
        assert!(!is_fulfilled::<Fresh>(&Claims { factors: vec![Method::Totp], ..before }, at(0)));
    }

    #[test]
    fn who_has_a_second_factor_gives_it() {
        let factors = [Method::Totp, Method::Recovery];
        let password_alone = claims(&[Method::Password], &factors);
        let both = claims(&[Method::Password, Method::Totp], &factors);
        for fulfilled in [is_fulfilled::<Fresh>, is_fulfilled::<BesidePassword>, is_fulfilled::<Approval>] {
            assert!(!fulfilled(&password_alone, at(0)) && fulfilled(&both, at(0)));
            assert!(!fulfilled(&both, at(301)));
        }
    }

    #[test]
    fn who_has_none_tells_the_password_in_the_call() {
        let old = claims(&[Method::Password], &[Method::Pin]);
        assert!(is_fulfilled::<BesidePassword>(&old, at(1000)) && !is_fulfilled::<Fresh>(&old, at(1000)));
    }

    #[test]
    fn what_was_begun_is_finished_with_the_second_factor_that_came_meanwhile() {
        let without = claims(&[Method::Password], &[]);
        let weak = claims(&[Method::Password], &[Method::Passkey]);
        let strong = claims(&[Method::Passkey], &[Method::Passkey]);
        assert!(is_fulfilled::<Finishing>(&without, at(1000)) && !is_fulfilled::<Finishing>(&weak, at(0)));
        let begun = at(5 * MINUTE);
        assert!(is_fulfilled::<Fresh>(&strong, begun));
        assert!(is_fulfilled::<Finishing>(&strong, begun + TimeDelta::minutes(15)));
        assert!(!is_fulfilled::<Finishing>(&strong, begun + TimeDelta::seconds(901)));
    }

    #[test]
    fn the_pin_approves_payments_and_nothing_else() {
        let factors = [Method::Totp, Method::Pin];
        let told = Claims { pin_time: Some(900), ..claims(&[Method::Password], &factors) };
        assert!(is_fulfilled::<Approval>(&told, at(900 + 5 * MINUTE)));
        assert!(!is_fulfilled::<Approval>(&told, at(901 + 5 * MINUTE)));
        assert!(!is_fulfilled::<Fresh>(&told, at(900)) && !is_fulfilled::<BesidePassword>(&told, at(900)));
    }

    #[test]
    fn a_call_that_needs_it_sometimes_is_refused_in_the_same_words() {
        let claims = claims(&[Method::Password], &[Method::Pin]);
        assert!(require::<Approval>(&claims, at(0)).is_ok());
        let refused = require::<Approval>(&claims, at(301)).unwrap_err();
        assert_eq!(refused.body("/", ""), refusal::<Approval>(&claims).body("/", ""));
        assert_eq!((refused.code(), refused.status().as_u16()), ("step_up_required", 403));
    }

    #[test]
    fn a_refusal_names_what_is_accepted() {
        let named = |problem: Problem| problem.body("/", "").methods;
        assert_eq!(named(refusal::<Fresh>(&claims(&[Method::Password], &[Method::Pin]))), ["password"]);
        let phone = claims(&[Method::Password], &[Method::Device]);
        assert_eq!(named(refusal::<Fresh>(&phone)), ["password", "device"]);
        let factors = [Method::Totp, Method::Recovery, Method::Pin];
        let claims = claims(&[Method::Password], &factors);
        assert_eq!(named(refusal::<Fresh>(&claims)), ["totp", "recovery"]);
        assert_eq!(named(refusal::<Approval>(&claims)), ["totp", "recovery", "pin"]);
    }
}
