//! Keys are rotated while the gateway runs, and a secret takes their place where one is set.

use std::{path::Path, process::Command, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use gateway::{Config, render};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use crate::support::{
    KID, World, claims, published, rendered_with, signed_by, signing_key, token, unsigned, world_of,
};

const PATH: &str = "/api/v1/wallet/wallets";
const SECRET: &str = "a secret of the deployment, $1 & all of it";

fn next_key() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

fn next_token() -> String {
    signed_by(&next_key(), &json!({"alg": "EdDSA", "kid": "next"}), &claims("ada"))
}

fn both() -> String {
    published(KID, &signing_key()) + &published("next", &next_key())
}

async fn status(world: &World, token: &str) -> StatusCode {
    world.get_with(PATH, token).await.status
}

#[tokio::test]
async fn each_published_key_verifies_its_own_tokens() {
    let world = world_of(Config::parse(&rendered_with(&both())).unwrap());
    assert_eq!(status(&world, &token("ada")).await, StatusCode::OK);
    assert_eq!(status(&world, &next_token()).await, StatusCode::OK);
    for (key, kid) in [(next_key(), KID), (signing_key(), "next")] {
        let crossed = signed_by(&key, &json!({"alg": "EdDSA", "kid": kid}), &claims("ada"));
        let answer = world.get_with(PATH, &crossed).await;
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("Invalid signature"))
        );
    }
}

/// The next key is taken up, and the one that is gone is believed no more, also for tokens that were verified before.
#[tokio::test]
async fn keys_change_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.pem");
    std::fs::write(&file, published(KID, &signing_key())).unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let world = world_of(render::load(directory, &file).unwrap());
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn(render::keep_keys(world.gateway.clone(), directory.to_owned(), file.clone(), shutdown));
    assert_eq!(status(&world, &token("ada")).await, StatusCode::OK);
    assert_eq!(status(&world, &next_token()).await, StatusCode::UNAUTHORIZED);
    let becomes = async |token: &str, wanted: StatusCode| {
        let until = async {
            while status(&world, token).await != wanted {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), until).await.expect("the keys are read anew");
    };
    std::fs::write(&file, both()).unwrap();
    becomes(&next_token(), StatusCode::OK).await;
    assert_eq!(status(&world, &token("ada")).await, StatusCode::OK);
    // Half a file changes nothing.
    std::fs::write(&file, "-----BEGIN PUBLIC KEY-----\n").unwrap();
    std::fs::write(&file, published("next", &next_key())).unwrap();
    becomes(&token("ada"), StatusCode::UNAUTHORIZED).await;
    assert_eq!(status(&world, &next_token()).await, StatusCode::OK);
}

fn sealed(secret: &str, header: &Value) -> String {
    let message = unsigned(header, &claims("ada"));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn rendered_with_secret(secret: &str) -> Result<String, String> {
    let script = format!("{}/render.sh", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("sh").arg(script).env("JWT_SECRET", secret).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[tokio::test]
async fn with_a_secret_there_are_no_keys() {
    let world = world_of(Config::parse(&rendered_with_secret(SECRET).unwrap()).unwrap());
    let header = json!({"alg": "HS256", "kid": "jwt-secret"});
    assert_eq!(status(&world, &sealed(SECRET, &header)).await, StatusCode::OK);
    assert_eq!(
        status(&world, &sealed("another secret, as long as it has to be", &header)).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(status(&world, &token("ada")).await, StatusCode::UNAUTHORIZED);
    for alg in ["EdDSA", "HS512", "none"] {
        let other = sealed(SECRET, &json!({"alg": alg, "kid": "jwt-secret"}));
        assert_eq!(status(&world, &other).await, StatusCode::UNAUTHORIZED, "{alg}");
    }
    assert!(rendered_with_secret("too short").unwrap_err().contains("at least 32"));
    assert!(rendered_with_secret(&format!("{SECRET}\"")).unwrap_err().contains("quotes"));
}

/// The public key is known to everybody, and no secret.
#[tokio::test]
async fn the_public_key_is_no_secret() {
    let world = world_of(Config::parse(&rendered_with(&published(KID, &signing_key()))).unwrap());
    let pem = published(KID, &signing_key());
    let (_, pem) = pem.split_once('\n').unwrap();
    for secret in [pem, pem.trim()] {
        let forged = sealed(secret, &json!({"alg": "HS256", "kid": KID}));
        assert_eq!(status(&world, &forged).await, StatusCode::UNAUTHORIZED);
    }
}
