//! API keys: making them, and what a machine gets for them.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    mailbox,
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal},
};

pub(crate) const KEYS: &str = "/api/v1/identity/api-keys";
const TOKEN: &str = "/api/v1/identity/oauth/token";

/// A key, as its owner got it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) fn of(handed: &Answer) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{handed:?}")).to_owned();
        Self { id: text(&handed.body["apiKey"]["id"]), secret: text(&handed.body["clientSecret"]) }
    }
}

impl World {
    pub(crate) async fn make(&self, by: &Person, body: &Value) -> Answer {
        self.post_as(&by.access, "/api-keys", body).await
    }

    pub(crate) async fn key(&self, by: &Person, scopes: &[&str]) -> Key {
        let made = self.make(by, &wanted(scopes)).await;
        assert_eq!(made.status, 201, "{made:?}");
        Key::of(&made)
    }

    pub(crate) async fn rotate(&self, by: &Person, key: &Key, immediately: bool) -> Answer {
        let body = json!({ "currentPassword": PASSWORD, "immediately": immediately });
        self.post_as(&by.access, &format!("/api-keys/{}/rotate", key.id), &body).await
    }

    pub(crate) async fn revoke(&self, by: &Person, key: &Key) -> Answer {
        let request = self.request(Method::DELETE, &format!("{KEYS}/{}", key.id));
        answer(request.bearer_auth(&by.access)).await
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        answer(self.request(Method::POST, TOKEN).form(form)).await
    }

    pub(crate) async fn exchange(&self, key: &Key) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", key.id.as_str()),
            ("client_secret", key.secret.as_str()),
        ];
        self.ask(&form).await
    }

    async fn scoped(&self, key: &Key, scope: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", key.id.as_str()),
            ("client_secret", key.secret.as_str()),
            ("scope", scope),
        ];
        self.ask(&form).await
    }
}

pub(crate) fn wanted(scopes: &[&str]) -> Value {
    json!({ "name": "Web shop", "scopes": scopes, "expiresInDays": 30, "currentPassword": PASSWORD })
}

pub(crate) fn claims(token: &Answer) -> Value {
    let text = token.body["access_token"].as_str().unwrap_or_else(|| panic!("{token:?}"));
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// Status and `error` of a refusal as RFC 6749 has it.
pub(crate) fn refused(answer: &Answer) -> (u16, &str) {
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    (answer.status, answer.body["error"].as_str().unwrap_or_else(|| panic!("{answer:?}")))
}

#[tokio::test]
async fn a_machine_gets_a_token_for_its_key_and_with_it_nothing_of_the_account() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let made = world.make(&person, &wanted(&["transfers:write", "wallets:read"])).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = Key::of(&made);
    let shown = &made.body["apiKey"];
    assert_eq!(shown["scopes"], json!(["wallets:read", "transfers:write"]));
    assert_eq!(shown["expiresAt"], "2026-03-31T12:00:00Z");
    assert!(key.secret.starts_with(shown["secrets"][0]["prefix"].as_str().unwrap()));
    let told = mailbox.told(&person.email, 2, "Web shop").await;
    assert!(!told.contains(&key.secret), "{told}");

    let token = world.exchange(&key).await;
    assert_eq!(token.status, 200, "{token:?}");
    assert_eq!(token.headers["cache-control"], "no-store");
    let said = json!({
        "access_token": token.body["access_token"], "token_type": "Bearer", "expires_in": 900,
        "scope": "wallets:read transfers:write",
    });
    assert_eq!(token.body, said);
    let claims = claims(&token);
    assert_eq!(
        (&claims["aud"], &claims["sub"], &claims["client_id"], &claims["roles"]),
        (&json!("wallet-machines"), &json!(person.id), &json!(key.id), &json!([]))
    );
    assert_eq!(claims["scope"], "wallets:read transfers:write");

    // What is the person's own is closed to the machine: it cannot make itself another key, nor end sessions.
    let machine =
        Person { access: token.body["access_token"].as_str().unwrap().to_owned(), ..person.clone() };
    assert_eq!(world.me(&machine.access).await.code(), refusal(403, "insufficient_scope"));
    let another = world.make(&machine, &wanted(&["wallets:read"])).await;
    assert_eq!(another.code(), refusal(403, "insufficient_scope"));
    assert_eq!(world.revoke(&machine, &key).await.code(), refusal(403, "insufficient_scope"));
    let closed = world.post_as(&machine.access, "/logout", &json!({})).await;
    assert_eq!(closed.code(), refusal(403, "insufficient_scope"));

    let listed = world.get(KEYS, Some(&person.access)).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["items"][0]["secrets"][0]["lastUsedAt"], "2026-03-01T12:00:00Z");
    assert!(!listed.body.to_string().contains(&key.secret));
    let events = world.events("identity.api_key.created").await;
    assert_eq!((events.len(), &events[0]["data"]["apiKeyId"]), (1, &json!(key.id)));
    let bits = key.secret.split('_').nth(2).unwrap();
    assert!(!world.dump().await.contains(bits), "the secret lies in the database");
}

#[tokio::test]
async fn it_may_ask_for_less_and_for_no_more() {
    let world = World::start().await;
    let person = world.register(1).await;
    let key = world.key(&person, &["wallets:read", "transactions:read"]).await;
    let less = world.scoped(&key, "transactions:read").await;
    assert_eq!(less.body["scope"], "transactions:read");
    assert_eq!(claims(&less)["scope"], "transactions:read");
    for more in ["wallets:read transfers:write", "admin", "wallets:read *", "WALLETS:READ", "   "] {
        assert_eq!(refused(&world.scoped(&key, more).await), (400, "invalid_scope"), "{more:?}");
    }
}

#[tokio::test]
async fn a_client_may_name_itself_by_basic() {
    let world = World::start().await;
    let person = world.register(1).await;
    let key = world.key(&person, &["wallets:read"]).await;
    let basic = async |id: &str, secret: &str| {
        let header = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let request = world.request(Method::POST, TOKEN).header("authorization", header);
        answer(request.form(&[("grant_type", "client_credentials")])).await
    };
    assert_eq!(basic(&key.id, &key.secret).await.status, 200);
    let wrong = basic(&key.id, "x").await;
    assert_eq!(refused(&wrong), (401, "invalid_client"));
    assert_eq!(wrong.headers["www-authenticate"], "Basic realm=\"wallet-platform\"");
}

/// Unknown, wrong, of somebody else, revoked, expired: a stranger cannot tell one from another.
#[tokio::test]
async fn what_is_no_key_in_force_gets_one_answer() {
    let world = World::start().await;
    let (ada, bola) = (world.register(1).await, world.register(2).await);
    let (key, other) = (world.key(&ada, &["wallets:read"]).await, world.key(&bola, &["wallets:read"]).await);
    let revoked = world.key(&ada, &["wallets:read"]).await;
    assert_eq!(world.revoke(&ada, &revoked).await.status, 204);
    let last = if key.secret.ends_with('0') { '1' } else { '0' };
    let truncated = &key.secret[..key.secret.len() - 1];
    let nobody = common_utils::ids::new_id().to_string();
    let parts: Vec<&str> = key.secret.split('_').collect();
    let strange: Vec<&str> = other.secret.split('_').collect();
    let mixed = checked(&format!("wpk_{}_{}", parts[1], strange[2]));
    let unknown = checked(&format!("wpk_{}_{}", uuid::Uuid::from_u128(7).simple(), parts[2]));
    let with = |id: &str, secret: &str| Key { id: id.to_owned(), secret: secret.to_owned() };
    let mut answers = Vec::new();
    for wrong in [
        with(&nobody, &key.secret),
        with("not-an-id", &key.secret),
        with(&other.id, &key.secret),
        with(&key.id, &other.secret),
        with(&key.id, truncated),
        with(&key.id, &format!("{truncated}{last}")),
        with(&key.id, &format!("{}0", key.secret)),
        with(&key.id, &key.secret.to_uppercase()),
        with(&key.id, &mixed),
        with(&key.id, &unknown),
        with(&key.id, PASSWORD),
        with(&key.id, &ada.access),
        revoked,
    ] {
        let answer = world.exchange(&wrong).await;
        assert_eq!(refused(&answer), (401, "invalid_client"), "{wrong:?}");
        answers.push(answer.body);
    }
    world.advance(30 * 24 * 3600);
    let expired = world.exchange(&key).await;
    assert_eq!(refused(&expired), (401, "invalid_client"));
    answers.push(expired.body);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// With the checksum that makes it look like a key.
fn checked(body: &str) -> String {
    use sha2::{Digest, Sha256};
    format!("{body}_{}", hex::encode(&Sha256::digest(body)[..4]))
}

#[tokio::test]
async fn requests_that_do_not_fit_are_refused_as_the_standard_has_it() {
    let world = World::start().await;
    let person = world.register(1).await;
    let key = world.key(&person, &["wallets:read"]).await;
    for (form, expected) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password"), ("username", "ada")], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token")], "unsupported_grant_type"),
        (vec![("grant_type", "client_credentials"), ("grant_type", "client_credentials")], "invalid_request"),
    ] {
        assert_eq!(refused(&world.ask(&form).await), (400, expected), "{form:?}");
    }
    let none = world.ask(&[("grant_type", "client_credentials"), ("client_id", &key.id)]).await;
    assert_eq!(refused(&none), (401, "invalid_client"));
    let json =
        json!({ "grant_type": "client_credentials", "client_id": key.id, "client_secret": key.secret });
    let sent = answer(world.request(Method::POST, TOKEN).json(&json)).await;
    assert_eq!(refused(&sent), (400, "invalid_request"));
}

#[tokio::test]
async fn somebody_elses_keys_are_not_there() {
    let world = World::start().await;
    let (ada, bola) = (world.register(1).await, world.register(2).await);
    let key = world.key(&ada, &["wallets:read"]).await;
    assert_eq!(world.rotate(&bola, &key, true).await.code(), refusal(404, "not_found"));
    assert_eq!(world.get(KEYS, Some(&bola.access)).await.body["items"], json!([]));
    assert_eq!(world.get(KEYS, None).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.exchange(&key).await.status, 200);
}

#[tokio::test]
async fn it_takes_the_password_and_fields_that_fit() {
    let world = World::start().await;
    let person = world.register(1).await;
    let changed = |field: &str, value: Value| {
        let mut body = wanted(&["wallets:read"]);
        body[field] = value;
        body
    };
    for (field, value, code) in [
        ("currentPassword", json!("wrong"), "wrong_password"),
        ("name", json!(" "), "invalid"),
        ("name", json!("x".repeat(61)), "invalid"),
        ("scopes", json!([]), "length"),
        ("expiresInDays", json!(0), "out_of_range"),
        ("expiresInDays", json!(366), "out_of_range"),
    ] {
        let answer = world.make(&person, &changed(field, value)).await;
        assert_eq!(answer.problem(), invalid(field, code), "{field}");
    }
    for (field, value) in [("scopes", json!(["admin"])), ("roles", json!(["admin"])), ("userId", json!("x"))]
    {
        let answer = world.make(&person, &changed(field, value)).await;
        assert_eq!(answer.code(), refusal(422, "validation_failed"), "{field}");
    }
    let key = world.key(&person, &["wallets:read"]).await;
    let body = json!({ "currentPassword": "wrong" });
    let refused = world.post_as(&person.access, &format!("/api-keys/{}/rotate", key.id), &body).await;
    assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"));
    assert_eq!(world.exchange(&key).await.status, 200);
}

#[tokio::test]
async fn there_are_twenty_at_most_also_of_those_who_come_together() {
    let world = World::start().await;
    let person = world.register(1).await;
    let first = world.key(&person, &["wallets:read"]).await;
    for _ in 0..17 {
        world.key(&person, &["wallets:read"]).await;
    }
    let body = wanted(&["wallets:read"]);
    let together =
        tokio::join!(world.make(&person, &body), world.make(&person, &body), world.make(&person, &body));
    let mut statuses = [together.0.status, together.1.status, together.2.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 422]);
    assert_eq!(world.make(&person, &body).await.code(), refusal(422, "limit_exceeded"));
    assert_eq!(world.revoke(&person, &first).await.status, 204);
    assert_eq!(world.make(&person, &body).await.status, 201);
}

#[tokio::test]
async fn a_key_of_an_account_that_is_not_active_gives_nothing() {
    let world = World::start().await;
    let person = world.register(1).await;
    let key = world.key(&person, &["wallets:read"]).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    let answer = world.exchange(&key).await;
    assert_eq!(refused(&answer), (401, "invalid_client"));
    assert_eq!(answer.body["error_description"], "the account of the key's owner is not active");
    let wrong = Key { secret: key.secret[..50].to_owned(), ..key };
    let strange = world.exchange(&wrong).await.body;
    assert_ne!(
        strange["error_description"], answer.body["error_description"],
        "told only to who has the key"
    );
}
