//! A program that acts for a customer by an API key: what it may, what it may not, and what becomes of it when the key is rotated and revoked.

use common_utils::clock::{Clock, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::{
    customers::{Customer, PASSWORD},
    deployment::Deployment,
    main_job,
};

/// Status and body.
type Answer = (StatusCode, Value);

/// A key, as its owner got it.
#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
}

impl Key {
    fn of((status, handed): &Answer) -> Self {
        assert!(status.is_success(), "{status} {handed}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { id: text(&handed["apiKey"]["id"]), secret: text(&handed["clientSecret"]) }
    }
}

/// The customer whose machine it is, with what both are answered. Calls go through the gateway, unless they wait for something.
struct Owner<'a> {
    platform: &'a Deployment,
    customer: Customer,
}

impl<'a> Owner<'a> {
    /// With money, and signed in with a second factor.
    async fn new(platform: &'a Deployment) -> Self {
        let mut owner = Self { platform, customer: platform.funded_customer("500.00").await };
        let begun = owner.post("identity/mfa/totp", &json!({ "currentPassword": PASSWORD })).await.1;
        let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
        let now = SystemClock.now().timestamp().try_into().unwrap();
        let code = Builder::new().with_secret(secret).build().unwrap().generate(now).to_string();
        let confirmed = owner.post("identity/mfa/totp/confirm", &json!({ "code": code })).await.1;
        let token = confirmed["tokens"]["accessToken"].as_str().unwrap_or_else(|| panic!("{confirmed}"));
        owner.customer.token = token.to_owned();
        owner
    }

    async fn send(&self, method: Method, path: &str, body: &Value, token: &str) -> Answer {
        let url = format!("{}/api/v1/{path}", self.platform.gateway());
        let request = self.platform.client.request(method, url).bearer_auth(token);
        let request = request.header("Idempotency-Key", "one");
        read(if body.is_null() { request } else { request.json(body) }).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body, &self.customer.token).await
    }

    async fn rotate(&self, key: &Key, immediately: bool) -> Key {
        let body = json!({ "currentPassword": PASSWORD, "immediately": immediately });
        Key::of(&self.post(&format!("identity/api-keys/{}/rotate", key.id), &body).await)
    }

    async fn exchange(&self, key: &Key, scope: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &key.id),
            ("client_secret", &key.secret),
            ("scope", scope),
        ];
        let url = format!("{}/api/v1/identity/oauth/token", self.platform.gateway());
        read(self.platform.client.post(url).form(&form)).await
    }

    /// A token of the key, with all its scopes.
    async fn token(&self, key: &Key) -> String {
        token_of(&self.exchange(key, "").await)
    }

    async fn pay(&self, token: &str, to: &Customer, amount: i64) -> Answer {
        let body = json!({
            "fromWalletId": self.customer.wallet_id, "to": { "walletId": to.wallet_id },
            "amount": { "amount": amount, "currency": "NGN" },
        });
        self.send(Method::POST, "transactions/transfers", &body, token).await
    }

    async fn see(&self, path: &str, token: &str) -> Answer {
        self.send(Method::GET, path, &Value::Null, token).await
    }

    /// Waits until no service takes the token any more that took it.
    async fn is_refused_everywhere(&self, token: &str) {
        for (service, path) in [("wallet", "wallet/wallets"), ("transaction", "transactions")] {
            let url = format!("{}/api/v1/{path}", self.platform.service(service));
            let refused = async || self.platform.get(&url, token).await.0 == 401;
            self.platform.until(&format!("the end of the token at {service}"), refused).await;
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

fn token_of((status, answer): &Answer) -> String {
    assert_eq!(*status, StatusCode::OK, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

fn refusal((status, body): &Answer) -> (u16, &str) {
    (status.as_u16(), body["code"].as_str().or(body["error"].as_str()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_acts_for_its_owner_until_its_key_is_revoked() {
    let platform = Deployment::apart().await;
    let (owner, stranger) = (Owner::new(&platform).await, platform.customer().await);
    let wanted = json!({
        "name": "Shop", "scopes": ["wallets:read", "transactions:read", "transfers:write"], "expiresInDays": 1,
        "currentPassword": PASSWORD,
    });
    let first = Key::of(&owner.post("identity/api-keys", &wanted).await);

    // What its scopes open, and of that its owner's alone.
    let token = owner.token(&first).await;
    let wallets = owner.see("wallet/wallets", &token).await.1;
    assert_eq!(wallets["items"][0]["id"], owner.customer.wallet_id);
    let strange = owner.see(&format!("wallet/wallets/{}", stranger.wallet_id), &token).await;
    assert_eq!(refusal(&strange), (404, "not_found"));
    let reader = token_of(&owner.exchange(&first, "wallets:read transactions:read").await);
    assert_eq!(refusal(&owner.pay(&reader, &stranger, 10_000).await), (403, "insufficient_scope"));
    assert_eq!(platform.available(&stranger).await, 0);
    let (status, sent) = owner.pay(&token, &stranger, 10_000).await;
    assert_eq!(status, StatusCode::CREATED, "{sent}");
    assert_eq!(platform.available(&stranger).await, 10_000);
    for closed in ["identity/me", "identity/api-keys", "admin/tickets/mine"] {
        assert_eq!(refusal(&owner.see(closed, &token).await), (403, "insufficient_scope"), "{closed}");
    }
    assert_eq!(refusal(&owner.exchange(&first, "wallets:write").await), (400, "invalid_scope"));

    // Rotated, both secrets hold; replaced at once, only the new one does, and what was got with the others is refused.
    let second = owner.rotate(&first, false).await;
    let tokens = [token, owner.token(&first).await, owner.token(&second).await];
    for token in &tokens {
        assert_eq!(owner.see("wallet/wallets", token).await.0, StatusCode::OK);
    }
    let third = owner.rotate(&second, true).await;
    for ended in [&first, &second] {
        assert_eq!(refusal(&owner.exchange(ended, "").await), (401, "invalid_client"));
    }
    for token in tokens.iter().chain([&reader]) {
        owner.is_refused_everywhere(token).await;
    }
    let token = owner.token(&third).await;
    assert_eq!(owner.see("wallet/wallets", &token).await.0, StatusCode::OK);

    let path = format!("identity/api-keys/{}", third.id);
    let revoked = owner.send(Method::DELETE, &path, &Value::Null, &owner.customer.token).await;
    assert_eq!(revoked.0, StatusCode::NO_CONTENT);
    assert_eq!(refusal(&owner.exchange(&third, "").await), (401, "invalid_client"));
    owner.is_refused_everywhere(&token).await;
    assert_eq!(owner.see("wallet/wallets", &owner.customer.token).await.0, StatusCode::OK);

    // An auditor tells what it did from what its owner did.
    let auditor = auditor(&platform).await;
    let log = |actor: String| {
        let (address, sent) = (platform.service("admin"), sent["id"].as_str().unwrap().to_owned());
        format!("{address}/api/v1/admin/audit-logs?subject=transaction:{sent}&actor={actor}")
    };
    let of_machine = log(format!("api_key:{}", third.id));
    let told = async || {
        let entries = platform.get(&of_machine, &auditor).await.1;
        entries["items"].as_array().is_some_and(|items| items.len() == 2)
    };
    platform.until("both entries of the transfer under the key", told).await;
    let owner_id = wallets["items"][0]["userId"].as_str().unwrap();
    let of_owner = platform.get(&log(format!("user:{owner_id}")), &auditor).await;
    assert_eq!((of_owner.0, &of_owner.1["items"]), (200, &json!([])));
}

/// Signed in as somebody of compliance.
async fn auditor(platform: &Deployment) -> String {
    main_job::create_staff(platform, "compliance");
    let body =
        json!({ "identifier": main_job::email("compliance"), "password": main_job::password("compliance") });
    let url = format!("{}/api/v1/identity/login", platform.service("identity"));
    let (status, signed_in) = read(platform.client.post(url).json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{signed_in}");
    signed_in["tokens"]["accessToken"].as_str().unwrap().to_owned()
}
