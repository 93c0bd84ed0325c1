//! What is there when a route is tried: people of every kind, and things of one of them.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::{Engine, engine::general_purpose::STANDARD};
use common_auth::Scope;
use common_utils::ids;
use ed25519_dalek::SigningKey;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{bodies::application, callers::Caller, matrix::Route, platform::Platform};

pub(crate) const PASSWORD: &str = "a long way to other places";

/// No two people of a run have an address or a number in common.
static PEOPLE: AtomicU32 = AtomicU32::new(1);

#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// People, and what the owner has. What a route has nothing to do with is not made, and its id is nobody's.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    owner: Person,
    stranger: Person,
    staff: Vec<(Caller, Person)>,
    /// The access token of a machine of the owner's.
    pub(crate) machine: String,
    pub(crate) api_key: String,
    pub(crate) api_secret: String,
    /// Of a passkey and of a device.
    key: String,
    /// Nobody else's in this run.
    pub(crate) bvn: String,
    case: String,
    session: String,
    pub(crate) wallet: String,
    /// Somebody else's, to which the owner has sent money.
    pub(crate) other_wallet: String,
    transaction: String,
    ticket: String,
    endpoint: String,
}

impl Scene {
    pub(crate) async fn set(platform: &Platform, route: &Route) -> Self {
        let mut scene = Self {
            owner: Person::registered(platform).await,
            stranger: Person::registered(platform).await,
            bvn: format!("22{:08}1", PEOPLE.fetch_add(1, Ordering::Relaxed)),
            ..Self::default()
        };
        for caller in [Caller::Support, Caller::Compliance, Caller::Finance, Caller::Admin] {
            scene.staff.push((caller, Person::of_staff(platform, caller.name()).await));
        }
        scene.make_machine(platform).await;
        let has = |word| route.path.contains(word);
        if has("/sessions/") {
            scene.session =
                first_id(platform, &scene.owner, "identity-service", "/api/v1/identity/sessions").await;
        }
        if has("wallet") || has("transaction") || has("posting") {
            scene.send_money(platform).await;
        }
        if has("/tickets/") {
            let body = json!({ "subject": "Where is it?", "description": "It has not come." });
            let request = platform.request("admin-service", "POST", "/api/v1/admin/tickets/mine");
            scene.ticket = created(request.bearer_auth(&scene.owner.access).json(&body)).await;
        }
        if has("/webhook-endpoints/") {
            let body = json!({ "url": "https://matrix.invalid/webhooks", "eventTypes": ["wallet.*"] });
            let request = platform.request("admin-service", "POST", "/api/v1/admin/webhook-endpoints");
            scene.endpoint =
                created(request.bearer_auth(&scene.person(Caller::Admin).access).json(&body)).await;
        }
        if has("/kyc/") && has("{id}") {
            let request = platform.request("identity-service", "POST", "/api/v1/identity/kyc/cases");
            let request = request.bearer_auth(&scene.owner.access).json(&application(&scene.bvn));
            scene.case = created(request).await;
        }
        if has("/passkeys/{id}") || has("/devices/{id}") {
            scene.key = give_keys(platform, &scene.owner).await;
        }
        scene
    }

    async fn make_machine(&mut self, platform: &Platform) {
        let scopes: Vec<&str> = Scope::ALL.into_iter().map(Scope::name).collect();
        let body =
            json!({ "name": "matrix", "scopes": scopes, "expiresInDays": 1, "currentPassword": PASSWORD });
        let request = platform.request("identity-service", "POST", "/api/v1/identity/api-keys");
        let made = answered(request.bearer_auth(&self.owner.access).json(&body), 201).await;
        let text = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        self.api_key = text("/apiKey/id");
        self.api_secret = text("/clientSecret");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.api_key.as_str()),
            ("client_secret", self.api_secret.as_str()),
        ];
        let request = platform.request("identity-service", "POST", "/api/v1/identity/oauth/token");
        let got = answered(request.form(&form), 200).await;
        got["access_token"].as_str().unwrap().clone_into(&mut self.machine);
    }

    async fn send_money(&mut self, platform: &Platform) {
        let friend = Person::registered(platform).await;
        self.wallet = open_wallet(platform, &self.owner).await;
        self.other_wallet = open_wallet(platform, &friend).await;
        let funding = json!({ "postings": [{
            "id": ids::new_id(), "type": "deposit", "description": "Deposit",
            "legs": [{ "debit": { "platform": "provider_settlement:providus" }, "credit": { "walletId": self.wallet },
                       "amount": { "amount": 100_000, "currency": "NGN" } }],
        }] });
        let request = platform.request("wallet-service", "POST", "/internal/v1/postings");
        let token = platform.service_token("transaction-service", "wallet-service");
        let funded = answered(request.bearer_auth(token).json(&funding), 200).await;
        assert_eq!(funded["results"][0]["outcome"], "posted");
        let request = platform.request("transaction-service", "POST", "/api/v1/transactions/transfers");
        let request = request.bearer_auth(&self.owner.access).header("Idempotency-Key", "scene");
        self.transaction = created(request.json(&self.transfer(&self.wallet))).await;
    }

    pub(crate) fn transfer(&self, from: &str) -> Value {
        json!({
            "fromWalletId": from, "to": { "walletId": self.other_wallet },
            "amount": { "amount": 100, "currency": "NGN" },
        })
    }

    /// Of a caller who is somebody.
    pub(crate) fn person(&self, caller: Caller) -> &Person {
        match caller {
            owner if owner.is_owner() => &self.owner,
            Caller::Machine => &self.owner,
            Caller::Stranger => &self.stranger,
            _ => self.staff.iter().find(|(role, _)| *role == caller).map(|(_, person)| person).unwrap(),
        }
    }

    /// The route's path with the owner's things in the place of its parameters.
    pub(crate) fn path(&self, route: &Route) -> String {
        let path = route.path.as_str();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
        let id = if starts(&["/api/v1/identity/sessions"]) {
            &self.session
        } else if starts(&["/api/v1/identity/api-keys"]) {
            &self.api_key
        } else if starts(&["/api/v1/identity/kyc"]) {
            &self.case
        } else if starts(&["/api/v1/identity/passkeys", "/api/v1/identity/devices"]) {
            &self.key
        } else if starts(&["/api/v1/wallet/", "/internal/v1/wallets", "/api/v1/admin/wallets"]) {
            &self.wallet
        } else if starts(&["/api/v1/transactions", "/internal/v1/transactions", "/api/v1/admin/transactions"])
        {
            &self.transaction
        } else if starts(&["/api/v1/admin/tickets"]) {
            &self.ticket
        } else if starts(&["/api/v1/admin/webhook-endpoints"]) {
            &self.endpoint
        } else if starts(&["/internal/v1/users", "/api/v1/admin/users"]) {
            &self.owner.id
        } else {
            ""
        };
        let id = if id.is_empty() { ids::new_id().to_string() } else { id.to_owned() };
        let mut text = String::new();
        for part in path.split('/').skip(1) {
            let filled = match part {
                "{id}" => id.clone(),
                "{provider}" => "providus".to_owned(),
                other if other.starts_with('{') => ids::new_id().to_string(),
                word => word.to_owned(),
            };
            text = format!("{text}/{filled}");
        }
        match path {
            "/api/v1/wallet/wallets/{id}/statement" => {
                format!("{text}?from=2026-02-01T00:00:00Z&to=2026-03-01T12:00:00Z")
            }
            "/api/v1/identity/kyc/cases/{id}/documents" => format!("{text}?kind=address_document"),
            "/internal/v1/users" => format!("{text}?email={}", self.owner.email),
            "/internal/v1/wallets" => format!("{text}?userId={}", self.owner.id),
            _ => text,
        }
    }
}

/// What somebody gives who registers.
pub(crate) fn registration() -> Value {
    let number = PEOPLE.fetch_add(1, Ordering::Relaxed);
    json!({
        "email": format!("person{number}@example.com"), "phoneNumber": format!("+234803{number:07}"),
        "password": PASSWORD, "firstName": "Ada", "lastName": "Obi",
    })
}

impl Person {
    async fn registered(platform: &Platform) -> Self {
        let request = platform.request("identity-service", "POST", "/api/v1/identity/register");
        Self::of(&answered(request.json(&registration()), 201).await)
    }

    /// A role is in the tokens of those who sign in after they got it.
    async fn of_staff(platform: &Platform, role: &str) -> Self {
        let person = Self::registered(platform).await;
        let granted = sqlx::query("UPDATE users SET roles = ARRAY['user', $2] WHERE id = $1::uuid");
        granted.bind(&person.id).bind(role).execute(&platform.people.pool).await.unwrap();
        let request = platform.request("identity-service", "POST", "/api/v1/identity/login");
        let body = json!({ "identifier": person.email, "password": PASSWORD });
        Self::of(&answered(request.json(&body), 200).await)
    }

    fn of(answer: &Value) -> Self {
        let text = |pointer: &str| answer.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Self {
            id: text("/user/id"),
            email: text("/user/email"),
            access: text("/tokens/accessToken"),
            refresh: text("/tokens/refreshToken"),
        }
    }
}

/// A passkey and a device with the same id, as their rows: an authenticator that makes them is not needed to be let in.
async fn give_keys(platform: &Platform, owner: &Person) -> String {
    let key = ids::new_id();
    let public = subject_public_key_info(key);
    let statements = [
        "INSERT INTO passkey_owners (user_id, handle) VALUES ($2::uuid, $1)",
        "INSERT INTO passkeys (id, user_id, credential_id, credential, name, created_at)
         VALUES ($1, $2::uuid, uuid_send($1), '{}', 'Phone', '2026-03-01T12:00:00Z')",
        "INSERT INTO devices (id, user_id, public_key, name, platform, activated_at)
         VALUES ($1, $2::uuid, $3, 'Phone', 'other', '2026-03-01T12:00:00Z')",
    ];
    for statement in statements {
        let asked = sqlx::query(statement).bind(key).bind(&owner.id);
        let asked = if statement.contains("$3") { asked.bind(&public) } else { asked };
        asked.execute(&platform.people.pool).await.unwrap();
    }
    key.to_string()
}

/// Of a phone that nobody has yet, as it is sent.
pub(crate) fn public_key() -> String {
    STANDARD.encode(subject_public_key_info(ids::new_id()))
}

fn subject_public_key_info(seed: Uuid) -> Vec<u8> {
    let seed = [seed.into_bytes(), [0; 16]].concat();
    let key = SigningKey::try_from(seed.as_slice()).unwrap().verifying_key().to_bytes();
    // RFC 8410: what stands before the key.
    [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &key].concat()
}

async fn open_wallet(platform: &Platform, owner: &Person) -> String {
    let request = platform.request("wallet-service", "POST", "/api/v1/wallet/wallets");
    created(request.bearer_auth(&owner.access).json(&json!({ "currency": "NGN" }))).await
}

async fn first_id(platform: &Platform, owner: &Person, service: &str, path: &str) -> String {
    let page = answered(platform.request(service, "GET", path).bearer_auth(&owner.access), 200).await;
    page["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn created(request: RequestBuilder) -> String {
    answered(request, 201).await["id"].as_str().unwrap().to_owned()
}

async fn answered(request: RequestBuilder, expected: u16) -> Value {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(status, expected, "{text}");
    serde_json::from_str(&text).unwrap()
}
