//! Every row of the table of what Kong answers, asked of the real `kong.yml`.

use crate::support::{
    KID, World, claims, client, get, post, rendered, signed, token, unsigned, world, world_of,
};
use axum::body::Body;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use gateway::Config;
use http::StatusCode;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/wallet/wallets";

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": KID})
}

async fn refused(world: &World, token: &str, body: Value) {
    let answer = world.get_with(PATH, token).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, body), "{token}");
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

fn message(text: &str) -> Value {
    json!({"message": text})
}

#[tokio::test]
async fn a_good_token_passes() {
    let answer = world().get_with(PATH, &token("ada")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["service"], "wallet-service");
}

#[tokio::test]
async fn no_token_or_not_bearer() {
    let world = world();
    for request in
        [get(PATH), get(PATH).header("authorization", "Basic YTpi"), get(PATH).header("authorization", "")]
    {
        let answer = world.send(request).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, message("Unauthorized")));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let in_the_address = world.send(get(&format!("{PATH}?jwt={}", token("ada")))).await;
    assert_eq!(in_the_address.json(), message("Unauthorized"));
}

#[tokio::test]
async fn wrong_signature() {
    let world = world();
    let good = token("ada");
    let (message_part, signature) = good.rsplit_once('.').unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let flipped: Vec<u8> =
        bytes.iter().enumerate().map(|(at, byte)| if at == 9 { byte ^ 1 } else { *byte }).collect();
    let lengthened = [bytes.clone(), vec![0]].concat();
    for wrong in [&flipped[..], &lengthened, &bytes[..63], &[]] {
        let token = format!("{message_part}.{}", BASE64_URL_SAFE_NO_PAD.encode(wrong));
        refused(&world, &token, message("Invalid signature")).await;
    }
    let other_claims = unsigned(&header(), &claims("bola"));
    refused(&world, &format!("{other_claims}.{signature}"), message("Invalid signature")).await;
}

#[tokio::test]
async fn unknown_key() {
    let world = world();
    let named = |kid: Value| signed(&json!({"alg": "EdDSA", "kid": kid}), &claims("ada"));
    for kid in [json!("somebody's"), json!(5), json!(null), json!("../../dev/null")] {
        refused(&world, &named(kid), message("No credentials found for given 'kid'")).await;
    }
    let nameless = signed(&json!({"alg": "EdDSA"}), &claims("ada"));
    refused(&world, &nameless, message("No mandatory 'kid' in claims")).await;
    refused(&world, &named(json!("")), message("Invalid 'kid' in claims")).await;
}

/// As Kong looks for the credential where a file does not say where: by the issuer.
#[tokio::test]
async fn unknown_issuer() {
    let by_issuer = rendered().replace("          key_claim_name: kid\n", "").replace(KID, "wallet-platform");
    let world = world_of(Config::parse(&by_issuer).unwrap());
    assert_eq!(world.get_with(PATH, &token("ada")).await.status, StatusCode::OK);
    let mut claims = claims("ada");
    claims["iss"] = json!("somebody");
    refused(&world, &signed(&header(), &claims), message("No credentials found for given 'iss'")).await;
}

#[tokio::test]
async fn other_algorithm() {
    let world = world();
    for algorithm in ["HS256", "RS256", "ES256"] {
        let token = signed(&json!({"alg": algorithm, "kid": KID}), &claims("ada"));
        refused(&world, &token, message("Invalid algorithm")).await;
    }
}

#[tokio::test]
async fn no_algorithm_and_garbage() {
    let world = world();
    for algorithm in [json!("none"), json!("None"), json!("eddsa"), json!(null), json!(1)] {
        let token = signed(&json!({"alg": algorithm, "kid": KID}), &claims("ada"));
        refused(&world, &token, message("Bad token; invalid alg")).await;
    }
    let none = unsigned(&json!({"alg": "none"}), &claims("ada"));
    refused(&world, &format!("{none}."), message("Bad token; invalid alg")).await;
    for garbage in ["garbage", "a.b", "a.b.c", "..", "e30.!.x", "MTIz.e30.x", "bnVsbA.bnVsbA."] {
        refused(&world, garbage, message("Bad token; invalid JSON")).await;
    }
    refused(
        &world,
        &format!("{}.!", unsigned(&header(), &claims("ada"))),
        message("Bad token; invalid signature"),
    )
    .await;
}

#[tokio::test]
async fn two_different_tokens() {
    // The file looks into one header only; two can be found where it names two.
    let two = rendered().replace("header_names: [authorization]", "header_names: [authorization, x-token]");
    let world = world_of(Config::parse(&two).unwrap());
    let both = |one: &str, other: &str| {
        let request = get(PATH).header("authorization", format!("Bearer {one}"));
        world.send(request.header("x-token", format!("Bearer {other}")))
    };
    let answer = both(&token("ada"), &token("bola")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::UNAUTHORIZED, message("Multiple tokens provided"))
    );
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#));
    assert_eq!(both(&token("ada"), &token("ada")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn two_authorization_headers_are_no_request() {
    let request = get(PATH).header("authorization", format!("Bearer {}", token("ada")));
    let request = request.header("authorization", "Bearer x").header("accept", "*/*");
    let answer = world().send(request).await;
    assert_eq!((answer.status, &answer.json()["message"]), (StatusCode::BAD_REQUEST, &json!("Bad request")));
}

#[tokio::test]
async fn expired_and_not_yet_valid() {
    let world = world();
    let token = token("ada");
    assert_eq!(world.get_with(PATH, &token).await.status, StatusCode::OK);
    world.clock.advance(TimeDelta::seconds(899));
    assert_eq!(world.get_with(PATH, &token).await.status, StatusCode::OK);
    // It has been verified before, and is not trusted for that.
    world.clock.advance(TimeDelta::seconds(1));
    refused(&world, &token, json!({"exp": "token expired"})).await;
    world.clock.advance(TimeDelta::seconds(-901));
    refused(&world, &token, json!({"nbf": "token not valid yet"})).await;
}

#[tokio::test]
async fn expiry_missing_or_no_number() {
    let world = world();
    for value in [json!("2030"), json!(null), json!(true), json!([1])] {
        let mut claims = claims("ada");
        claims["exp"] = value;
        refused(&world, &signed(&header(), &claims), json!({"exp": "must be a number"})).await;
    }
    let nothing = json!({"iss": "wallet-platform", "sub": "ada"});
    let both = json!({"exp": "must be a number", "nbf": "must be a number"});
    refused(&world, &signed(&header(), &nothing), both).await;
    let mut fraction = claims("ada");
    fraction["exp"] = serde_json::from_str("1772366430.5").unwrap();
    assert_eq!(world.get_with(PATH, &signed(&header(), &fraction)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn too_many_calls() {
    let world = world();
    for _ in 0..20 {
        assert_eq!(world.send(post("/api/v1/identity/refresh")).await.status, StatusCode::OK);
    }
    let answer = world.send(post("/api/v1/identity/refresh")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["message"], "API rate limit exceeded");
    assert_eq!(answer.json()["request_id"], answer.header("x-kong-request-id").unwrap());
    for (name, value) in [
        ("ratelimit-limit", "20"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "30"),
        ("retry-after", "30"),
        ("x-ratelimit-limit-minute", "20"),
        ("x-ratelimit-remaining-minute", "0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn no_route() {
    let answer = world()
        .send(get("/nowhere").header("x-correlation-id", "mine").header("origin", "http://localhost:5173"))
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let id = answer.header("x-kong-request-id").unwrap();
    let body =
        format!("{{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"{id}\"\n}}");
    assert_eq!(answer.body, body);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("x-correlation-id"), Some("mine"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:5173"));
}

#[tokio::test]
async fn body_too_large() {
    let world = world();
    let limit = 1 << 20;
    let with = |path: &str, size: usize, announced: bool| {
        let bearer = format!("Bearer {}", token("ada"));
        let mut request = post(path).header("authorization", bearer);
        if announced {
            request = request.header("content-length", size);
            return request.body(Body::from(vec![b'x'; size])).unwrap();
        }
        let pieces = vec![b'x'; size]
            .chunks(100_000)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
            .collect::<Vec<_>>();
        request.body(Body::from_stream(futures::stream::iter(pieces))).unwrap()
    };
    let documents = "/api/v1/identity/kyc/cases/7/documents";
    for (path, size, status) in [
        (PATH, limit, StatusCode::OK),
        (PATH, limit + 1, StatusCode::PAYLOAD_TOO_LARGE),
        (documents, limit * 10, StatusCode::OK),
        (documents, limit * 10 + 1, StatusCode::PAYLOAD_TOO_LARGE),
        ("/api/v1/identity/kyc/cases/7", limit + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        for announced in [true, false] {
            let answer = world.send_body(client(1), with(path, size, announced)).await;
            assert_eq!(answer.status, status, "{path} {size} {announced}");
            if status == StatusCode::OK {
                assert_eq!(answer.json()["bytes"], size);
            } else {
                assert_eq!(answer.json()["message"], "Request size limit exceeded");
                assert_eq!(answer.json()["request_id"], answer.header("x-kong-request-id").unwrap());
            }
        }
    }
    let mut waiting = with(PATH, limit + 1, true);
    waiting.headers_mut().insert("expect", "100-continue".parse().unwrap());
    assert_eq!(world.send_body(client(1), waiting).await.status, StatusCode::EXPECTATION_FAILED);
}

#[tokio::test]
async fn an_error_takes_the_shape_that_is_asked_for() {
    let world = world();
    let html = world.send(get("/nowhere").header("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(html.body.contains("<p>no Route matched with those values.</p>"), "{}", html.body);
    let plain = world.send(get("/nowhere").header("accept", "text/plain")).await;
    assert!(plain.body.starts_with("no Route matched with those values\nrequest_id: "), "{}", plain.body);
}
