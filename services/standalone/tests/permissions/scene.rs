//! What is there when a route is tried: people of every kind, and things of one of them.

use std::sync::atomic::{AtomicU32, Ordering};

use common_utils::ids;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::{callers::Caller, matrix::Route, platform::Platform};

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
            ..Self::default()
        };
        for caller in [Caller::Support, Caller::Compliance, Caller::Finance, Caller::Admin] {
            scene.staff.push((caller, Person::of_staff(platform, caller.name()).await));
        }
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
        scene
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
        let token = platform.service_token("transaction-service");
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
            Caller::Owner => &self.owner,
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
