//! Tokens as attackers make them, against both ways to sign. None passes, and none leads to another question than for the key.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_auth::{
    Claims,
    claims::DEFAULT_ISSUER,
    jwks::JwkSet,
    secret::JwtSecret,
    signing::TokenSigner,
    testing,
    verify::{TokenError, TokenVerifier},
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    ids::UserId,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "a secret of the deployment, long enough for HS256";

struct World {
    clock: Arc<ManualClock>,
    signer: TokenSigner,
    by_key: TokenVerifier,
    by_secret: TokenVerifier,
}

fn world() -> World {
    let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
    let signer = TokenSigner::ephemeral().unwrap();
    let shared: SharedClock = Arc::clone(&clock) as SharedClock;
    let by_key =
        TokenVerifier::with_keys(DEFAULT_ISSUER, &[signer.public_key().clone()], Arc::clone(&shared));
    let by_secret = TokenVerifier::with_secret(DEFAULT_ISSUER, &secret(), shared);
    World { clock, signer, by_key, by_secret }
}

fn secret() -> JwtSecret {
    JwtSecret::new(SECRET.into()).unwrap()
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn hs256(key: &[u8], header: &Value, payload: &str) -> String {
    let signed = format!("{}.{payload}", encode(header));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

impl World {
    fn claims(&self) -> Claims {
        testing::claims(UserId::new(), self.clock.now())
    }

    fn payload(&self) -> String {
        encode(&serde_json::to_value(self.claims()).unwrap())
    }

    fn kid(&self) -> &str {
        self.signer.public_key().kid()
    }

    async fn refused(&self, what: &str, token: &str) {
        for (by, verifier) in [("key", &self.by_key), ("secret", &self.by_secret)] {
            let said = verifier.verify(token).await;
            assert!(matches!(said, Err(TokenError::Invalid)), "{what}, checked by {by}: {said:?}");
        }
    }
}

#[tokio::test]
async fn each_way_takes_its_own_tokens_and_not_the_others() {
    let world = world();
    let by_secret = secret();
    let (signed, sealed) =
        (world.signer.sign(&world.claims()).unwrap(), by_secret.sign(&world.claims()).unwrap());
    assert!(world.by_key.verify(&signed).await.is_ok());
    assert!(world.by_secret.verify(&sealed).await.is_ok());
    assert!(matches!(world.by_key.verify(&sealed).await, Err(TokenError::Invalid)));
    assert!(matches!(world.by_secret.verify(&signed).await, Err(TokenError::Invalid)));
}

#[tokio::test]
async fn no_algorithm_is_an_algorithm() {
    let world = world();
    let payload = world.payload();
    for alg in ["none", "None", "NONE", "nOnE", "", " none"] {
        let header = encode(&json!({ "alg": alg, "kid": world.kid() }));
        for signature in ["", "AA", "bm9uZQ"] {
            world.refused(alg, &format!("{header}.{payload}.{signature}")).await;
        }
    }
    for header in [
        json!({ "kid": world.kid() }),
        json!({ "alg": null }),
        json!({ "alg": ["EdDSA"] }),
        json!([]),
        json!("EdDSA"),
    ] {
        world.refused("a header without one", &format!("{}.{payload}.AA", encode(&header))).await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let world = world();
    let (payload, public) = (world.payload(), world.signer.public_key().bytes());
    let header = json!({ "alg": "HS256", "kid": world.kid() });
    let jwks = serde_json::to_vec(&JwkSet::of([world.signer.public_key()])).unwrap();
    let spki =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], public].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(&spki)
    );
    for key in [&public[..], &jwks, &spki, pem.as_bytes(), pem.trim().as_bytes(), b"", &[0; 32]] {
        world.refused("HS256 under what is public", &hs256(key, &header, &payload)).await;
    }
    for alg in ["RS256", "ES256", "PS256", "HS384", "HS512", "ES384", "EdDSA"] {
        let header = json!({ "alg": alg, "kid": world.kid() });
        world.refused(alg, &hs256(SECRET.as_bytes(), &header, &payload)).await;
    }
}

#[tokio::test]
async fn a_kid_is_a_name_and_nothing_else() {
    let world = world();
    let stranger = TokenSigner::ephemeral().unwrap();
    let good = stranger.sign(&world.claims()).unwrap();
    let (_, rest) = good.split_once('.').unwrap();
    let kids = [
        json!("../../../../dev/null"),
        json!("/etc/passwd"),
        json!("' OR '1'='1"),
        json!("x'; DROP TABLE users; --"),
        json!("http://attacker.example/jwks.json"),
        json!(world.kid()),
        json!("unknown"),
        json!(""),
        json!("\0"),
        json!(null),
        json!(7),
        json!([world.kid()]),
    ];
    for kid in kids {
        let header = encode(&json!({ "alg": "EdDSA", "kid": kid }));
        world.refused(&kid.to_string(), &format!("{header}.{rest}")).await;
    }
    let header = encode(&json!({ "alg": "EdDSA" }));
    world.refused("no kid", &format!("{header}.{rest}")).await;
    // The empty secret of /dev/null.
    let header = json!({ "alg": "HS256", "kid": "../../../../dev/null" });
    world.refused("the key in /dev/null", &hs256(b"", &header, &world.payload())).await;
}

/// Keys that a token brings along, or says where to find. Nobody is asked there.
#[tokio::test]
async fn keys_in_the_header_are_not_looked_at() {
    let world = world();
    let stranger = TokenSigner::ephemeral().unwrap();
    let good = stranger.sign(&world.claims()).unwrap();
    let (_, rest) = good.split_once('.').unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let jwk = serde_json::to_value(&JwkSet::of([stranger.public_key()]).keys[0]).unwrap();
    let own = stranger.public_key().kid();
    for extra in [
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "jwk": jwk }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jku": url, "x5u": url, "jwk": jwk, "crit": ["jku"] }),
    ] {
        for kid in [own, world.kid()] {
            let mut header = json!({ "alg": "EdDSA", "kid": kid });
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            world.refused(&header.to_string(), &format!("{}.{rest}", encode(&header))).await;
        }
    }
    assert!(listener.accept().is_err(), "somebody asked the attacker for keys");
}

#[tokio::test]
async fn claims_that_are_not_ours_are_refused_however_well_signed() {
    let world = world();
    let by_secret = secret();
    let good = world.claims();
    let wrong = [
        Claims { iss: "somebody-else".to_owned(), ..good.clone() },
        Claims { iss: String::new(), ..good.clone() },
        Claims { aud: "wallet-internal".to_owned(), ..good.clone() },
        Claims { aud: String::new(), ..good.clone() },
        Claims { nbf: Some(good.iat + 60), ..good.clone() },
        Claims { iat: good.iat + 60, ..good.clone() },
        Claims { iat: i64::MAX, ..good.clone() },
    ];
    for claims in wrong {
        let what = format!("{claims:?}");
        for (verifier, token) in [
            (&world.by_key, world.signer.sign(&claims).unwrap()),
            (&world.by_secret, by_secret.sign(&claims).unwrap()),
        ] {
            assert!(matches!(verifier.verify(&token).await, Err(TokenError::Invalid)), "{what}");
        }
    }
    for (exp, expired) in [(good.iat, true), (good.iat - 1, true), (0, true), (-1, false), (i64::MIN, false)]
    {
        let claims = Claims { exp, ..good.clone() };
        let said = world.by_key.verify(&world.signer.sign(&claims).unwrap()).await;
        assert!(said.is_err(), "{exp}");
        assert_eq!(matches!(said, Err(TokenError::Expired)), expired, "{exp}: {said:?}");
    }
}

/// Two claims of one name: who reads the first and who reads the last would see two different people.
#[tokio::test]
async fn doubled_missing_and_misshapen_claims_are_refused() {
    let world = world();
    let claims = serde_json::to_string(&world.claims()).unwrap();
    let (kid, header) = (json!("jwt-secret"), json!({ "alg": "HS256" }));
    let sign = |payload: &str| hs256(SECRET.as_bytes(), &header, &URL_SAFE_NO_PAD.encode(payload));
    assert!(world.by_secret.verify(&sign(&claims)).await.is_ok(), "{kid}");
    let body = claims.strip_prefix('{').unwrap();
    for payload in [
        format!("{{\"sub\":\"{}\",{body}", UserId::new()),
        format!("{{\"roles\":[\"admin\"],{body}"),
        format!("{{\"exp\":99999999999,{body}"),
        format!("{{\"iss\":\"x\",{body}"),
        claims.replace("\"exp\":", "\"expires\":"),
        claims.replace("\"sid\":", "\"session\":"),
        claims.replace("\"roles\":[\"user\"]", "\"roles\":\"admin\""),
        claims.replace("\"tier\":0", "\"tier\":\"3\""),
        claims.replace("\"tier\":0", "\"tier\":99999"),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        "{".repeat(2000),
    ] {
        let said = world.by_secret.verify(&sign(&payload)).await;
        assert!(matches!(said, Err(TokenError::Invalid)), "{payload}: {said:?}");
    }
}

#[tokio::test]
async fn cut_lengthened_and_huge_tokens_are_refused() {
    let world = world();
    let token = world.signer.sign(&world.claims()).unwrap();
    for end in (0..token.len()).step_by(7) {
        world.refused("cut", &token[..end]).await;
    }
    for longer in [
        format!("{token}A"),
        format!("{token}."),
        format!("{token}.e30"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}=="),
    ] {
        world.refused("lengthened", &longer).await;
    }
    world.refused("huge", &"A".repeat(10_000_000)).await;
    let padded = Claims { iss: "x".repeat(9_000), ..world.claims() };
    world.refused("huge and well signed", &world.signer.sign(&padded).unwrap()).await;
}
