//! Tokens that must pass, and the attacks that must not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use common_auth::{
    Assurance, Claims, Method, Role,
    claims::DEFAULT_ISSUER,
    jwks::{JwkSet, PublicKey},
    signing::TokenSigner,
    testing,
    verify::{TokenError, TokenVerifier},
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    ids::UserId,
};

struct World {
    clock: Arc<ManualClock>,
    signer: TokenSigner,
    verifier: TokenVerifier,
}

fn world() -> World {
    let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
    let signer = TokenSigner::ephemeral().unwrap();
    let shared: SharedClock = Arc::clone(&clock) as SharedClock;
    let verifier = TokenVerifier::with_keys(DEFAULT_ISSUER, &[signer.public_key().clone()], shared);
    World { clock, signer, verifier }
}

impl World {
    fn claims(&self) -> Claims {
        testing::claims(UserId::new(), self.clock.now())
    }

    async fn refused(&self, token: &str) -> bool {
        matches!(self.verifier.verify(token).await, Err(TokenError::Invalid))
    }
}

fn encode(json: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test]
async fn a_good_token_passes_until_it_expires() {
    let world = world();
    let claims = world.claims();
    let token = world.signer.sign(&claims).unwrap();
    assert_eq!(*world.verifier.verify(&token).await.unwrap(), claims);
    world.clock.advance(TimeDelta::seconds(899));
    assert!(world.verifier.verify(&token).await.is_ok());
    world.clock.advance(TimeDelta::seconds(1));
    assert!(matches!(world.verifier.verify(&token).await, Err(TokenError::Expired)));
}

/// A deployment that gives tokens a longer life where they are signed than where they are checked: what was taken back would be
/// forgotten before they expire.
#[tokio::test]
async fn no_token_is_believed_for_longer_than_tokens_live() {
    let world = world();
    let claims = Claims { exp: world.claims().iat + 86_400, ..world.claims() };
    let token = world.signer.sign(&claims).unwrap();
    world.clock.advance(TimeDelta::seconds(900));
    assert!(world.verifier.verify(&token).await.is_ok());
    world.clock.advance(TimeDelta::seconds(5));
    assert!(matches!(world.verifier.verify(&token).await, Err(TokenError::Expired)));
}

#[tokio::test]
async fn wrong_claims_are_refused() {
    let world = world();
    let good = world.claims();
    let future = good.iat + 60;
    for claims in [
        Claims { iss: "somebody-else".to_owned(), ..good.clone() },
        Claims { aud: "wallet-internal".to_owned(), ..good.clone() },
        Claims { nbf: Some(future), ..good.clone() },
        Claims { iat: future, ..good.clone() },
    ] {
        assert!(world.refused(&world.signer.sign(&claims).unwrap()).await, "{claims:?}");
    }
}

/// A newer release of identity-service, which knows more, while this one still runs.
fn newer_release(world: &World) -> (TokenVerifier, impl Fn(&serde_json::Value) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let newer = TokenSigner::load_or_create(dir.path()).unwrap();
    let pem = std::fs::read(dir.path().join("jwt_ed25519.pem")).unwrap();
    let shared: SharedClock = Arc::clone(&world.clock) as SharedClock;
    let verifier = TokenVerifier::with_keys(DEFAULT_ISSUER, &[newer.public_key().clone()], shared);
    let key = jsonwebtoken::EncodingKey::from_ed_pem(&pem).unwrap();
    let header = jsonwebtoken::Header {
        kid: Some(newer.public_key().kid().to_owned()),
        ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA)
    };
    (verifier, move |claims| jsonwebtoken::encode(&header, claims, &key).unwrap())
}

#[tokio::test]
async fn roles_that_are_not_known_are_passed_over() {
    let world = world();
    let (verifier, sign) = newer_release(&world);
    for (signed, known) in [
        (serde_json::json!(["user", "auditor", "admin"]), vec![Role::User, Role::Admin]),
        (serde_json::json!(["auditor"]), vec![]),
    ] {
        let mut claims = serde_json::to_value(world.claims()).unwrap();
        claims["roles"] = signed;
        assert_eq!(verifier.verify(&sign(&claims)).await.unwrap().roles, known);
    }
}

#[tokio::test]
async fn proofs_that_are_not_known_are_worth_the_least() {
    let world = world();
    let (verifier, sign) = newer_release(&world);
    let mut claims = serde_json::to_value(world.claims()).unwrap();
    claims["amr"] = serde_json::json!(["pwd", "iris"]);
    claims["acr"] = serde_json::json!("aal3");
    claims["factors"] = serde_json::json!(["iris", "otp"]);
    let read = verifier.verify(&sign(&claims)).await.unwrap();
    assert_eq!((read.amr.as_slice(), read.acr), ([Method::Password].as_slice(), Assurance::Aal1));
    assert_eq!(read.factors, [Method::Totp]);
}

/// The release before said nothing of proofs.
#[tokio::test]
async fn tokens_without_a_proof_are_of_when_they_were_signed() {
    let world = world();
    let (verifier, sign) = newer_release(&world);
    let mut claims = serde_json::to_value(world.claims()).unwrap();
    for absent in ["amr", "acr", "auth_time"] {
        assert!(claims.as_object_mut().unwrap().remove(absent).is_some(), "{absent}");
    }
    let read = verifier.verify(&sign(&claims)).await.unwrap();
    assert_eq!((read.proved_at(), read.acr, read.has_second_factor()), (read.iat, Assurance::Aal1, false));
}

#[tokio::test]
async fn tampered_and_foreign_tokens_are_refused() {
    let world = world();
    let token = world.signer.sign(&world.claims()).unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = body.split_once('.').unwrap();
    let elevated = encode(&serde_json::json!({ "roles": ["admin"] }));
    let stranger = TokenSigner::ephemeral().unwrap().sign(&world.claims()).unwrap();
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        body.to_owned(),
        format!("{body}."),
        format!("{body}.{}", &signature[..10]),
        format!("{body}.{signature}AAAA"),
        format!("{body}.{flipped}{}", &signature[1..]),
        format!("{header}.{elevated}.{signature}"),
        format!("{payload}.{header}.{signature}"),
        "x".repeat(10_000),
        stranger,
    ] {
        assert!(world.refused(&wrong).await, "{wrong}");
    }
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    let world = world();
    let claims = encode(&serde_json::to_value(world.claims()).unwrap());
    let kid = world.signer.public_key().kid();
    for alg in ["none", "None", "HS256", "ES256", "RS256", ""] {
        let header = encode(&serde_json::json!({ "alg": alg, "kid": kid, "typ": "JWT" }));
        assert!(world.refused(&format!("{header}.{claims}.")).await, "{alg}");
    }
    // The public key used as an HMAC secret.
    let header = jsonwebtoken::Header { kid: Some(kid.to_owned()), ..jsonwebtoken::Header::default() };
    let key = jsonwebtoken::EncodingKey::from_secret(world.signer.public_key().bytes());
    assert!(world.refused(&jsonwebtoken::encode(&header, &world.claims(), &key).unwrap()).await);
}

#[tokio::test]
async fn a_key_is_made_once_and_kept_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let first = TokenSigner::load_or_create(dir.path()).unwrap();
    let second = TokenSigner::load_or_create(dir.path()).unwrap();
    assert_eq!(first.public_key(), second.public_key());
    let mode = std::fs::metadata(dir.path().join("jwt_ed25519.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Identity-service when it hangs: it takes calls and closes them after a while. Tells how many came.
async fn hanging_identity() -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            drop(stream);
        }
    });
    (url, calls)
}

#[tokio::test]
async fn those_who_wait_for_keys_share_a_failure_too() {
    let world = world();
    let (url, calls) = hanging_identity().await;
    let clock: SharedClock = Arc::clone(&world.clock) as SharedClock;
    let verifier = Arc::new(TokenVerifier::with_jwks(DEFAULT_ISSUER, &url, clock).unwrap());
    let token = world.signer.sign(&world.claims()).unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, token) = (Arc::clone(&verifier), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for answer in waiting {
        assert!(matches!(answer.await.unwrap(), Err(TokenError::KeysUnavailable(_))));
    }
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 1);
    // A later one asks again at once.
    assert!(verifier.verify(&token).await.is_err());
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_is_remembered_as_verified_can_be_taken_back() {
    let world = world();
    let claims = world.claims();
    let token = world.signer.sign(&claims).unwrap();
    assert!(world.verifier.verify(&token).await.is_ok());
    world.verifier.revocations().end_session(claims.sid, world.clock.now() + TimeDelta::minutes(15));
    assert!(matches!(world.verifier.verify(&token).await, Err(TokenError::Ended)));
    assert!(world.verifier.verify_signed(&token).await.is_ok(), "who signs out again is still known");
    // A key that is gone takes all that it has signed with it.
    let other = world.signer.sign(&world.claims()).unwrap();
    assert!(world.verifier.verify(&other).await.is_ok());
    world.verifier.learn(&[]);
    assert!(matches!(world.verifier.verify(&other).await, Err(TokenError::Invalid)));
}

/// identity-service as far as its keys go: those in the list.
async fn publishing_identity(keys: &Arc<std::sync::Mutex<Vec<PublicKey>>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = Arc::clone(keys);
    let published = async move || axum::Json(JwkSet::of(&*keys.lock().unwrap()));
    let router = axum::Router::new().route("/.well-known/jwks.json", axum::routing::get(published));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn keys_are_read_anew_and_those_that_are_gone_are_not_believed() {
    let world = world();
    let next = TokenSigner::ephemeral().unwrap();
    let published = Arc::new(std::sync::Mutex::new(vec![world.signer.public_key().clone()]));
    let url = publishing_identity(&published).await;
    let clock: SharedClock = Arc::clone(&world.clock) as SharedClock;
    let verifier = TokenVerifier::with_jwks(DEFAULT_ISSUER, &url, clock).unwrap();
    let (old_token, new_token) =
        (world.signer.sign(&world.claims()).unwrap(), next.sign(&world.claims()).unwrap());
    assert!(verifier.verify(&old_token).await.is_ok());
    published.lock().unwrap().push(next.public_key().clone());
    verifier.renew_keys().await.unwrap();
    assert!(verifier.verify(&old_token).await.is_ok() && verifier.verify(&new_token).await.is_ok());
    published.lock().unwrap().remove(0);
    verifier.renew_keys().await.unwrap();
    assert!(matches!(verifier.verify(&old_token).await, Err(TokenError::Invalid)));
    assert!(verifier.verify(&new_token).await.is_ok());
}
