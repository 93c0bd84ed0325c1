//! Tokens between services: those that must pass, the attacks that must not, rotation, and the way from the shared secret.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use common_auth::{
    key_ring::KeyRing,
    service_token::{self, ServiceTokens},
    signing::{PRIVATE_FILE, PUBLIC_FILE, TokenSigner},
    testing,
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    config::Env,
    ids::{self, UserId},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const WALLET: &str = "wallet-service";
const ADMIN: &str = "admin-service";
const SECRET: &str = "a secret that all services share";

struct World {
    clock: Arc<ManualClock>,
    keys: TempDir,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        Self { clock, keys: tempfile::tempdir().unwrap() }
    }

    fn shared_clock(&self) -> SharedClock {
        Arc::clone(&self.clock) as SharedClock
    }

    fn folder(&self, service: &str) -> PathBuf {
        self.keys.path().join("services").join(service)
    }

    /// The service, where it is configured so.
    fn configured(&self, service: &str, values: &[(&str, &str)]) -> anyhow::Result<ServiceTokens> {
        let mut values: HashMap<String, String> =
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        values.insert("KEYS_DIR".to_owned(), self.keys.path().display().to_string());
        ServiceTokens::from_env(&Env::from_values("test", values), service, self.shared_clock())
    }

    fn service(&self, service: &str) -> ServiceTokens {
        self.configured(service, &[]).unwrap()
    }

    /// What the service says of itself when it calls wallet-service.
    fn claims(&self, service: &str) -> Value {
        let iat = self.clock.now().timestamp();
        json!({ "iss": service, "sub": service, "aud": WALLET, "iat": iat, "exp": iat + 60, "jti": ids::new_id() })
    }

    /// Anything, signed with the key of this service.
    fn signed(&self, service: &str, claims: &Value) -> String {
        TokenSigner::load(&self.folder(service).join(PRIVATE_FILE)).unwrap().sign(claims).unwrap()
    }
}

fn call(from: &ServiceTokens, to: &str) -> String {
    from.to(to).mint().unwrap()
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[test]
fn a_token_is_of_one_service_for_one_other_for_a_minute() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    let token = call(&admin, WALLET);
    assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN));
    assert_eq!(admin.verify(&token), None, "it is for wallet-service");
    assert_eq!(world.service("identity-service").verify(&token), None, "it is for wallet-service");
    assert!(!world.keys.path().join("service_token.secret").exists(), "no secret is shared");
    world.clock.advance(TimeDelta::seconds(59));
    assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN));
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(wallet.verify(&token), None);
}

#[test]
fn each_call_has_a_token_of_its_own() {
    let world = World::new();
    let admin = world.service(ADMIN);
    assert_ne!(call(&admin, WALLET), call(&admin, WALLET));
}

#[test]
fn a_service_that_comes_later_is_known_at_once() {
    let world = World::new();
    let wallet = world.service(WALLET);
    assert_eq!(wallet.verify("a.b.c"), None);
    let (admin, identity) = (world.service(ADMIN), world.service("identity-service"));
    assert_eq!(wallet.verify(&call(&admin, WALLET)).as_deref(), Some(ADMIN));
    assert_eq!(wallet.verify(&call(&identity, WALLET)).as_deref(), Some("identity-service"));
}

#[test]
fn a_service_cannot_pose_as_another_or_live_longer() {
    let world = World::new();
    let (_admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    world.service("transaction-service");
    let good = world.claims(ADMIN);
    assert_eq!(wallet.verify(&world.signed(ADMIN, &good)).as_deref(), Some(ADMIN));
    let now = world.clock.now().timestamp();
    for (what, changes) in [
        ("another service", json!({ "iss": "transaction-service", "sub": "transaction-service" })),
        ("another subject", json!({ "sub": "transaction-service" })),
        ("another issuer", json!({ "iss": "transaction-service" })),
        ("nobody", json!({ "iss": "", "sub": "" })),
        ("no issuer", json!({ "iss": null })),
        ("another audience", json!({ "aud": ADMIN })),
        ("the audience of the shared secret", json!({ "aud": "wallet-internal" })),
        ("the audience of people", json!({ "aud": "wallet-api" })),
        ("no audience", json!({ "aud": null })),
        ("expired", json!({ "iat": now - 60, "exp": now })),
        ("long-lived", json!({ "exp": now + 61 })),
        ("endless", json!({ "exp": i64::MAX })),
        ("endless from the first day on", json!({ "iat": i64::MIN, "exp": i64::MAX })),
        ("from tomorrow", json!({ "iat": now + 86_400, "exp": now + 86_430 })),
        ("no end", json!({ "exp": null })),
    ] {
        let mut claims = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert_eq!(wallet.verify(&world.signed(ADMIN, &claims)), None, "{what}");
    }
}

#[test]
fn keys_that_nobody_published_and_other_algorithms_are_refused() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    let token = call(&admin, WALLET);
    let claims = world.claims(ADMIN);
    let (body, signature) = token.rsplit_once('.').unwrap();
    let own = TokenSigner::load(&world.folder(ADMIN).join(PRIVATE_FILE)).unwrap();
    let mut wrong = vec![
        String::new(),
        "..".to_owned(),
        body.to_owned(),
        format!("{body}."),
        format!("{body}.{}", &signature[..20]),
        format!("{body}.{}", "A".repeat(86)),
        format!(
            "{}.{}.{signature}",
            token.split('.').next().unwrap(),
            encode(&world.claims("identity-service"))
        ),
        format!("{token}{}", "A".repeat(4096)),
        TokenSigner::ephemeral().unwrap().sign(&claims).unwrap(),
        // A person's token, by whatever key.
        own.sign(&testing::claims(UserId::new(), world.clock.now())).unwrap(),
    ];
    for alg in ["none", "None", "HS256", "ES256", "RS256", ""] {
        let header = encode(&json!({ "alg": alg, "kid": own.public_key().kid(), "typ": "JWT" }));
        wrong.push(format!("{header}.{}.", encode(&claims)));
        wrong.push(format!("{header}.{}.{signature}", encode(&claims)));
    }
    // The public key used as an HMAC secret, as bytes and as the file that everybody reads.
    let pem = fs::read(world.folder(ADMIN).join(PUBLIC_FILE)).unwrap();
    for secret in [own.public_key().bytes().as_slice(), &pem] {
        let header =
            jsonwebtoken::Header { kid: Some(own.public_key().kid().to_owned()), ..Default::default() };
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        wrong.push(jsonwebtoken::encode(&header, &claims, &key).unwrap());
    }
    for token in wrong {
        assert_eq!(wallet.verify(&token), None, "{token}");
    }
}

/// The name of a key is looked up among those that were read; no path is made of it, and no address.
#[test]
fn the_name_of_a_key_is_no_path() {
    let world = World::new();
    let wallet = world.service(WALLET);
    let elsewhere = tempfile::tempdir_in(world.keys.path()).unwrap();
    let stranger = TokenSigner::load_or_create(elsewhere.path()).unwrap();
    let pem = stranger.public_key().pem().unwrap();
    fs::write(elsewhere.path().join(PUBLIC_FILE), pem).unwrap();
    let outside = elsewhere.path().file_name().unwrap().to_str().unwrap();
    let key = fs::read(elsewhere.path().join(PRIVATE_FILE)).unwrap();
    let key = jsonwebtoken::EncodingKey::from_ed_pem(&key).unwrap();
    let absolute = elsewhere.path().join(PUBLIC_FILE).display().to_string();
    for kid in [
        stranger.public_key().kid(),
        &format!("../{outside}"),
        &format!("../{outside}/{PUBLIC_FILE}"),
        &absolute,
        "..%2f..",
        "admin-service",
        "",
    ] {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        header.jku = Some("http://127.0.0.1:1/jwks.json".to_owned());
        let mut claims = world.claims(&format!("../{outside}"));
        for name in [outside, ADMIN] {
            let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
            assert_eq!(wallet.verify(&token), None, "{kid}");
            claims = world.claims(name);
        }
    }
}

/// Who copies another's public file into its own folder gains no name by it.
#[test]
fn a_copied_public_key_is_still_its_owners() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    fs::create_dir(world.folder("intruder")).unwrap();
    fs::copy(world.folder(ADMIN).join(PUBLIC_FILE), world.folder("intruder").join(PUBLIC_FILE)).unwrap();
    assert_eq!(wallet.verify(&call(&admin, WALLET)).as_deref(), Some(ADMIN));
}

#[test]
fn a_service_whose_file_is_broken_shuts_out_itself_alone() {
    let world = World::new();
    let (admin, identity) = (world.service(ADMIN), world.service("identity-service"));
    let tokens = [&admin, &identity].map(|service| call(service, WALLET));
    let broken = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    fs::write(world.folder(ADMIN).join(PUBLIC_FILE), broken).unwrap();
    let wallet = world.service(WALLET);
    let verified = tokens.map(|token| wallet.verify(&token));
    assert_eq!(verified, [None, Some("identity-service".to_owned())]);
}

/// A file that is being copied or restored shuts nobody out, and is read when it is whole, even if nothing else tells that it changed.
#[test]
fn what_was_read_goes_on_while_a_file_is_half_written() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    let token = call(&admin, WALLET);
    assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN));
    let path = world.folder(ADMIN).join(PUBLIC_FILE);
    let (whole, written) =
        (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    let look = || wallet.verify(&TokenSigner::ephemeral().unwrap().sign(&world.claims(ADMIN)).unwrap());
    for broken in ["", &whole[..whole.len() / 2], &whole.replace('M', "?")] {
        fs::write(&path, broken).unwrap();
        assert_eq!(look(), None, "a key that nobody published has the files looked at");
        assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN), "{broken:?}");
    }
    let anew = World::new();
    let next = anew.service(ADMIN);
    let other = fs::read_to_string(anew.folder(ADMIN).join(PUBLIC_FILE)).unwrap();
    let at = |text: &str| {
        fs::write(&path, text).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    };
    at(&other.replace('M', "?"));
    assert_eq!(look(), None);
    at(&other);
    assert_eq!(wallet.verify(&call(&next, WALLET)).as_deref(), Some(ADMIN), "it is whole now");
    assert_eq!(wallet.verify(&token), None, "and has another key");
}

/// Who is called and calls nobody notices, too, that a key of its own is over.
#[test]
fn a_key_that_is_over_is_published_no_longer_by_a_service_that_only_takes_calls() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    KeyRing::load_or_create(&world.folder(WALLET), world.shared_clock(), service_token::lifetime())
        .unwrap()
        .rotate(TimeDelta::zero())
        .unwrap();
    let published = || {
        let text = fs::read_to_string(world.folder(WALLET).join(PUBLIC_FILE)).unwrap();
        text.matches("BEGIN PUBLIC KEY").count()
    };
    assert_eq!(published(), 2);
    world.clock.advance(TimeDelta::hours(1));
    let deadline = Instant::now() + Duration::from_mins(1);
    while published() == 2 && Instant::now() < deadline {
        assert_eq!(wallet.verify(&call(&admin, WALLET)).as_deref(), Some(ADMIN));
    }
    assert_eq!(published(), 1);
}

#[test]
fn keys_are_rotated_while_services_run() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    let before = call(&admin, WALLET);
    assert!(wallet.verify(&before).is_some());
    let ring = KeyRing::load_or_create(&world.folder(ADMIN), world.shared_clock(), service_token::lifetime())
        .unwrap();
    let first = ring.list()[0].0.kid.clone();
    ring.rotate(TimeDelta::zero()).unwrap();
    // An instance that read the files before, and one that reads them now.
    for admin in [&admin, &world.service(ADMIN)] {
        assert_eq!(wallet.verify(&call(admin, WALLET)).as_deref(), Some(ADMIN));
    }
    assert!(wallet.verify(&before).is_some(), "the last key's tokens are in force");
    ring.retire(&first).unwrap();
    assert!(world.service(WALLET).verify(&before).is_none(), "what a retired key has signed is not believed");
    assert!(wallet.verify(&call(&world.service(ADMIN), WALLET)).is_some());
}

#[test]
fn the_way_from_the_shared_secret_is_three_steps_with_neighbours_that_understand_each_other() {
    let world = World::new();
    let at = |service, mode| {
        world.configured(service, &[("SERVICE_TOKEN_SECRET", SECRET), ("SERVICE_TOKENS", mode)]).unwrap()
    };
    for (caller, callee, understood) in [
        ("shared", "shared", true),
        ("shared", "both", true),
        ("both", "shared", true),
        ("both", "both", true),
        ("both", "own", true),
        ("own", "both", true),
        ("own", "own", true),
        ("shared", "own", false),
    ] {
        let token = call(&at(ADMIN, caller), WALLET);
        let verified = at(WALLET, callee).verify(&token);
        assert_eq!(verified.as_deref() == Some(ADMIN), understood, "{caller} calls {callee}");
    }
    assert!(world.configured(ADMIN, &[("SERVICE_TOKENS", "none")]).is_err());
    let short = [("SERVICE_TOKENS", "shared"), ("SERVICE_TOKEN_SECRET", "short")];
    assert!(world.configured(ADMIN, &short).is_err());
}

/// Forgetting a variable neither opens `/internal/v1` to a secret, nor shuts out services of an older release.
#[test]
fn a_shared_secret_is_neither_taken_nor_passed_over_unless_that_is_said() {
    let refused = |world: &World, values: &[(&str, &str)]| {
        let error = world.configured(WALLET, values).unwrap_err().to_string();
        assert!(error.contains("SERVICE_TOKENS is not set") && !error.contains(SECRET), "{error}");
    };
    let world = World::new();
    refused(&world, &[("SERVICE_TOKEN_SECRET", SECRET)]);
    refused(&world, &[("SERVICE_TOKEN_SECRET", SECRET), ("SERVICE_TOKENS", "")]);
    assert!(world.configured(WALLET, &[]).is_ok(), "there is none, so keys are all there is");
    fs::write(world.keys.path().join("service_token.secret"), SECRET).unwrap();
    refused(&world, &[]);
    for mode in ["own", "both", "shared"] {
        assert!(world.configured(WALLET, &[("SERVICE_TOKENS", mode)]).is_ok(), "{mode}");
    }
}

/// As a release before this one makes and checks them.
#[test]
fn an_older_release_is_understood_as_long_as_its_secret_is_there() {
    #[derive(serde::Deserialize)]
    struct Old {
        sub: String,
    }
    let world = World::new();
    fs::write(world.keys.path().join("service_token.secret"), SECRET).unwrap();
    let iat = world.clock.now().timestamp();
    let claims = json!({ "sub": ADMIN, "aud": "wallet-internal", "iat": iat, "exp": iat + 60 });
    let secret = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &secret).unwrap();
    let wallet = world.configured(WALLET, &[("SERVICE_TOKENS", "shared")]).unwrap();
    assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN));
    let own = world.configured(WALLET, &[("SERVICE_TOKENS", "own")]).unwrap();
    assert_eq!(own.verify(&token), None);

    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.set_audience(&["wallet-internal"]);
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
    let sent = jsonwebtoken::decode::<Old>(call(&wallet, ADMIN), &key, &rules).unwrap();
    assert_eq!(sent.claims.sub, WALLET);
    world.clock.advance(TimeDelta::seconds(60));
    assert_eq!(wallet.verify(&token), None);
}

/// The root of a volume, a folder of another owner: what cannot be looked at is nobody's keys, and hides nobody else's.
#[test]
fn an_entry_that_cannot_be_looked_at_hides_no_keys() {
    let world = World::new();
    let (admin, wallet) = (world.service(ADMIN), world.service(WALLET));
    let lost = world.folder("lost+found");
    std::os::unix::fs::symlink(&lost, &lost).unwrap();
    let token = call(&admin, WALLET);
    assert_eq!(wallet.verify(&token).as_deref(), Some(ADMIN));
}
