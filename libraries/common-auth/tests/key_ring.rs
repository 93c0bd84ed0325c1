//! Keys in a folder, as two instances of identity-service have them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::{path::Path, sync::Arc};

use chrono::TimeDelta;
use common_auth::{
    claims::DEFAULT_ISSUER,
    key_ring::{KeyRing, KeyState, PlanError},
    testing,
    verify::{TokenError, TokenVerifier},
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    ids::UserId,
};

const LIFETIME: TimeDelta = TimeDelta::minutes(15);

fn ring(folder: &Path, clock: &Arc<ManualClock>) -> KeyRing {
    KeyRing::load_or_create(folder, Arc::clone(clock) as SharedClock, LIFETIME).unwrap()
}

fn clock() -> Arc<ManualClock> {
    ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap())
}

fn token(ring: &KeyRing, clock: &ManualClock) -> String {
    ring.sign(&testing::claims(UserId::new(), clock.now())).unwrap()
}

#[tokio::test]
async fn no_token_is_refused_while_keys_are_rotated() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let (one, other) = (ring(folder.path(), &clock), ring(folder.path(), &clock));
    let old = one.published()[0].kid().to_owned();
    let next = one.rotate(TimeDelta::minutes(10)).unwrap();
    // Who keeps the published keys from here on knows both.
    let verifier =
        TokenVerifier::with_keys(DEFAULT_ISSUER, &one.published(), Arc::clone(&clock) as SharedClock);
    for _ in 0..30 {
        other.reload().unwrap();
        for instance in [&one, &other] {
            assert!(verifier.verify(&token(instance, &clock)).await.is_ok());
        }
        clock.advance(TimeDelta::minutes(1));
    }
    let states: Vec<_> = one.list().into_iter().map(|(key, state)| (key.kid, state)).collect();
    assert_eq!(states, [(old.clone(), KeyState::Over), (next.kid.clone(), KeyState::Signing)]);
    assert_eq!(one.published().len(), 1);

    // The next rotation takes away what is over.
    let third = one.rotate(TimeDelta::zero()).unwrap();
    let kids: Vec<String> = one.list().into_iter().map(|(key, _)| key.kid).collect();
    assert_eq!(kids, [next.kid, third.kid]);
    assert!(!folder.path().join("jwt_ed25519.pem").exists());
    assert_eq!(ring(folder.path(), &clock).list(), one.list(), "a new instance reads the same");
}

#[tokio::test]
async fn a_stolen_key_is_replaced_at_once() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let ring = ring(folder.path(), &clock);
    let verifier =
        TokenVerifier::with_keys(DEFAULT_ISSUER, &ring.published(), Arc::clone(&clock) as SharedClock);
    let stolen = ring.published()[0].kid().to_owned();
    let forged = token(&ring, &clock);
    assert!(verifier.verify(&forged).await.is_ok());
    let refused = ring.retire(&stolen).unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(PlanError::Signs(_))), "{refused:#}");
    ring.rotate(TimeDelta::zero()).unwrap();
    ring.retire(&stolen).unwrap();
    verifier.learn(&ring.published());
    assert!(matches!(verifier.verify(&forged).await, Err(TokenError::Invalid)));
    assert!(verifier.verify(&token(&ring, &clock)).await.is_ok());
}

#[test]
fn private_keys_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let kid = ring(folder.path(), &clock).rotate(TimeDelta::zero()).unwrap().kid;
    let path = folder.path().join("jwt_keys").join(format!("{kid}.pem"));
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
