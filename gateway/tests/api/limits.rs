//! The three rates: whom they hold, what they count together, and what cannot be talked around.

use std::time::Duration;

use axum::body::{Body, Bytes};
use chrono::TimeDelta;
use gateway::Config;
use http::StatusCode;

use crate::support::{World, client, get, post, rendered, token, world, world_of};

/// Sends until it is refused; answers how many passed.
async fn passes(world: &World, path: &str, token: &str) -> usize {
    for passed in 0..1000 {
        let answer = world.get_with(path, token).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return passed;
        }
        assert_eq!(answer.status, StatusCode::OK);
    }
    panic!("{path} has no limit");
}

#[tokio::test]
async fn a_signed_in_person_has_100_a_minute_and_service() {
    let world = world();
    let (ada, bola) = (token("ada"), token("bola"));
    assert_eq!(passes(&world, "/api/v1/wallet/wallets", &ada).await, 100);
    assert_eq!(passes(&world, "/api/v1/wallet/other", &ada).await, 0, "one count for the service");
    assert_eq!(passes(&world, "/api/v1/transactions", &ada).await, 100, "another service counts by itself");
    assert_eq!(
        passes(&world, "/api/v1/wallet/wallets", &bola).await,
        100,
        "another person counts by herself"
    );
}

#[tokio::test]
async fn documents_count_with_the_rest_of_identity() {
    let world = world();
    let ada = token("ada");
    assert_eq!(passes(&world, "/api/v1/identity/me", &ada).await, 100);
    assert_eq!(passes(&world, "/api/v1/identity/kyc/cases/7/documents", &ada).await, 0);
}

#[tokio::test]
async fn staff_have_200_and_ones_own_tickets_100() {
    let world = world();
    let ada = token("ada");
    assert_eq!(passes(&world, "/api/v1/admin/tickets", &ada).await, 200);
    assert_eq!(passes(&world, "/api/v1/admin/tickets/mine", &ada).await, 100);
    assert_eq!(passes(&world, "/api/v1/admin/tickets/mine/7", &ada).await, 0);
}

#[tokio::test]
async fn public_calls_have_20_an_address() {
    let world = world();
    let refresh = || post("/api/v1/identity/refresh");
    for call in 0..20 {
        let answer = world.send(refresh()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("ratelimit-remaining"), Some((19 - call).to_string().as_str()));
        assert_eq!(answer.header("retry-after"), None);
    }
    let sign_in = world.send(post("/api/v1/identity/passkeys/sign-in/start")).await;
    assert_eq!(sign_in.status, StatusCode::TOO_MANY_REQUESTS);
    let forged = refresh().header("x-forwarded-for", "203.0.113.9").header("x-real-ip", "203.0.113.9");
    assert_eq!(world.send(forged).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.send_from(client(2), refresh()).await.status, StatusCode::OK);
    assert_eq!(world.get_with("/api/v1/identity/me", &token("ada")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn where_passwords_are_guessed_the_rate_is_tighter() {
    let world = world();
    for (path, rate) in [("login", 10), ("register", 10), ("oauth/token", 30), ("password/forgot", 5)] {
        let call = || post(&format!("/api/v1/identity/{path}"));
        for _ in 0..rate {
            assert_eq!(world.send(call()).await.status, StatusCode::OK, "{path}");
        }
        assert_eq!(world.send(call()).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    let second_factor = world.send(post("/api/v1/identity/mfa/verify")).await;
    assert_eq!(
        second_factor.status,
        StatusCode::TOO_MANY_REQUESTS,
        "one count with the log-in that it goes on with"
    );
    let reset = world.send(post("/api/v1/identity/password/reset")).await;
    assert_eq!(reset.status, StatusCode::TOO_MANY_REQUESTS, "one count for both");
    assert_eq!(world.send(post("/api/v1/identity/refresh")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn codes_and_proofs_have_10_a_person() {
    let world = world();
    let ada = token("ada");
    assert_eq!(passes(&world, "/api/v1/identity/verification/email/confirm", &ada).await, 10);
    for path in [
        "verification/phone/send",
        "me/email",
        "me/phone/confirm",
        "me/deactivate",
        "password/change",
        "mfa/totp",
        "mfa/totp/confirm",
        "mfa/recovery-codes",
        "step-up",
        "pin",
        "pin/verify",
        "passkeys/step-up/finish",
        "passkeys/register/start",
        "devices",
        "devices/7/step-up/finish",
        "devices/confirm",
        "api-keys/7/rotate",
        "kyc/bvn",
    ] {
        assert_eq!(passes(&world, &format!("/api/v1/identity/{path}"), &ada).await, 0, "{path}");
    }
    for path in ["me", "api-keys/7", "devices/7", "passkeys", "kyc/cases"] {
        let answer = world.get_with(&format!("/api/v1/identity/{path}"), &ada).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    assert_eq!(passes(&world, "/api/v1/identity/verification/email/send", &token("bola")).await, 10);
}

#[tokio::test]
async fn a_client_cannot_choose_whose_count_it_is() {
    let world = world();
    let ada = token("ada");
    assert_eq!(passes(&world, "/api/v1/wallet/wallets", &ada).await, 100);
    for bearer in [format!("Bearer {ada}"), format!("bearer  {ada}"), format!("Basic x, Bearer {ada}")] {
        let request = get("/api/v1/wallet/wallets").header("authorization", bearer);
        let request = request.header("x-ratelimit-subject", "bola").header("x-ratelimit-subject", "chi");
        assert_eq!(world.send_from(client(9), request).await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    let bola = world.get_with("/api/v1/wallet/wallets", &token("bola")).await;
    assert_eq!(bola.header("ratelimit-remaining"), Some("99"), "nobody spent what is hers");
}

#[tokio::test]
async fn what_was_refused_before_or_by_the_limit_is_not_counted() {
    let world = world();
    let ada = token("ada");
    for _ in 0..150 {
        world.get_with("/api/v1/wallet/wallets", &format!("{ada}x")).await;
    }
    assert_eq!(passes(&world, "/api/v1/wallet/wallets", &ada).await, 100);
    for _ in 0..50 {
        world.get_with("/api/v1/wallet/wallets", &ada).await;
    }
    world.clock.advance(TimeDelta::seconds(29));
    assert_eq!(passes(&world, "/api/v1/wallet/wallets", &ada).await, 0, "the last second of the minute");
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(passes(&world, "/api/v1/wallet/wallets", &ada).await, 100, "a new calendar minute");
}

/// `kong.yml` with its rates in the Redis of the tests.
fn with_redis(port: u16, fault_tolerant: bool) -> Config {
    let redis = format!("policy: redis\n          redis: {{host: 127.0.0.1, port: {port}, timeout: 2000}}");
    let text = rendered().replace("policy: local", &redis).replace(
        "              policy: redis\n          redis:",
        "              policy: redis\n              redis:",
    );
    Config::parse(&text.replace("fault_tolerant: true", &format!("fault_tolerant: {fault_tolerant}")))
        .unwrap()
}

#[tokio::test]
async fn two_gateways_count_together_in_redis() {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL names the Redis of the tests");
    let port = url.parse::<http::Uri>().unwrap().port_u16().unwrap();
    let (one, other) = (world_of(with_redis(port, false)), world_of(with_redis(port, false)));
    // Names of their own, because the counts stay for two minutes.
    let subject = uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string();
    let token = token(&subject);
    for _ in 0..60 {
        assert_eq!(one.get_with("/api/v1/wallet/wallets", &token).await.status, StatusCode::OK);
    }
    assert_eq!(passes(&other, "/api/v1/wallet/wallets", &token).await, 40);
    assert_eq!(passes(&one, "/api/v1/wallet/wallets", &token).await, 0);
    assert_eq!(passes(&one, "/api/v1/transactions", &token).await, 100);
}

#[tokio::test]
async fn without_redis_calls_pass_uncounted_or_fail_as_the_file_says() {
    let tolerant = world_of(with_redis(1, true));
    let answer = tolerant.get_with("/api/v1/wallet/wallets", &token("ada")).await;
    assert_eq!((answer.status, answer.header("ratelimit-limit")), (StatusCode::OK, None));
    let strict = world_of(with_redis(1, false));
    let answer = strict.get_with("/api/v1/wallet/wallets", &token("ada")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.starts_with("An unexpected error occurred"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_that_stands_still_is_given_up() {
    let world = world();
    let silent = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let request = post("/api/v1/identity/login").body(Body::from_stream(silent)).unwrap();
    let answered = tokio::time::timeout(Duration::from_mins(2), world.send_body(client(1), request)).await;
    assert_eq!(answered.expect("it is answered").status, StatusCode::BAD_REQUEST);
}
