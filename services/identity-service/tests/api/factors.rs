//! What tests of second factors have in common: an authenticator app, and people who have one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::support::{Answer, PASSWORD, Person, World, answer};

/// The app of somebody, on a phone whose clock is right.
pub(crate) struct App(Totp);

impl App {
    pub(crate) fn of(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).unwrap();
        Self(Builder::new().with_secret(secret).build().unwrap())
    }

    pub(crate) fn code(&self, world: &World) -> String {
        self.code_in(world, 0)
    }

    /// The code that it shows so many seconds from now.
    pub(crate) fn code_in(&self, world: &World, seconds: i64) -> String {
        self.code_at(world.clock.now() + TimeDelta::seconds(seconds))
    }

    pub(crate) fn code_at(&self, at: DateTime<Utc>) -> String {
        self.0.generate(at.timestamp().try_into().unwrap()).to_string()
    }
}

/// Somebody with an authenticator app, signed in with it.
pub(crate) struct Enrolled {
    pub(crate) person: Person,
    pub(crate) app: App,
    pub(crate) recovery_codes: Vec<String>,
}

/// Registers person number `index` with an app, whose first code is used.
pub(crate) async fn enrolled(world: &World, index: u32) -> Enrolled {
    let mut person = world.register(index).await;
    let begun = begin(world, &person.access).await;
    let app = App::of(begun.body["secret"].as_str().unwrap_or_else(|| panic!("{begun:?}")));
    let confirmed = confirm(world, &person.access, &app.code(world)).await;
    person.access = access_of(&confirmed);
    let codes = confirmed.body["recoveryCodes"].as_array().unwrap();
    let recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    Enrolled { person, app, recovery_codes }
}

pub(crate) async fn begin(world: &World, token: &str) -> Answer {
    world.post_as(token, "/mfa/totp", &json!({ "currentPassword": PASSWORD })).await
}

pub(crate) async fn confirm(world: &World, token: &str, code: &str) -> Answer {
    world.post_as(token, "/mfa/totp/confirm", &json!({ "code": code })).await
}

pub(crate) async fn remove(world: &World, token: &str) -> Answer {
    answer(world.request(Method::DELETE, "/api/v1/identity/mfa/totp").bearer_auth(token)).await
}

pub(crate) async fn step_up(world: &World, token: &str, body: Value) -> Answer {
    world.post_as(token, "/step-up", &body).await
}

pub(crate) async fn by_totp(world: &World, token: &str, code: &str) -> Answer {
    step_up(world, token, json!({ "method": "totp", "code": code })).await
}

pub(crate) async fn verify(world: &World, challenge: &str, method: &str, code: &str) -> Answer {
    world.post("/mfa/verify", &json!({ "challengeId": challenge, "method": method, "code": code })).await
}

/// The challenge that the right password leads to.
pub(crate) async fn challenged(world: &World, person: &Person) -> String {
    let challenged = world.log_in(&person.email, PASSWORD).await;
    assert_eq!((challenged.status, &challenged.body["mfaRequired"]), (200, &json!(true)), "{challenged:?}");
    assert!(challenged.body.get("tokens").is_none(), "{challenged:?}");
    challenged.body["challengeId"].as_str().unwrap().to_owned()
}

/// The access token of an answer that has one.
pub(crate) fn access_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["tokens"]["accessToken"].as_str().unwrap().to_owned()
}

/// What the token says.
pub(crate) fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// How it says that its owner proved who they are: methods, level, time.
pub(crate) fn proof(token: &str) -> (Value, Value, Value) {
    let claims = claims(token);
    (claims["amr"].clone(), claims["acr"].clone(), claims["auth_time"].clone())
}

/// What a refused call asks for, by its body and by its header.
pub(crate) fn asked_for(refused: &Answer) -> (Value, String) {
    assert_eq!(refused.code(), (403, "step_up_required".to_owned()), "{refused:?}");
    (refused.body["methods"].clone(), refused.headers["www-authenticate"].to_str().unwrap().to_owned())
}
