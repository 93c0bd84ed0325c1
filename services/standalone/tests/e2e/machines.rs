//! A program that acts for a customer by an API key, through the gateway, and what becomes of it when the key is revoked.

use serde_json::{Value, json};

use super::{customers::PASSWORD, deployment::Deployment};

/// Status and body.
type Answer = (u16, Value);

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_acts_for_its_owner_until_its_key_is_revoked() {
    let platform = Deployment::apart().await;
    let (owner, stranger) = (platform.funded_customer("500.00").await, platform.customer().await);
    let api = format!("{}/api/v1", platform.gateway());
    let wanted = json!({
        "name": "Shop", "scopes": ["wallets:read", "transfers:write"], "expiresInDays": 1, "currentPassword": PASSWORD,
    });
    let keys = format!("{api}/identity/api-keys");
    let (status, made) = read(platform.client.post(&keys).bearer_auth(&owner.token).json(&wanted)).await;
    assert_eq!(status, 201, "{made}");
    let (id, secret) = (made["apiKey"]["id"].as_str().unwrap(), made["clientSecret"].as_str().unwrap());
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let exchange = || platform.client.post(format!("{api}/identity/oauth/token")).form(&form);
    let (status, token) = read(exchange()).await;
    assert_eq!(status, 200, "{token}");
    let token = token["access_token"].as_str().unwrap();

    let wallets = format!("{api}/wallet/wallets");
    assert_eq!(platform.get(&wallets, token).await.1["items"][0]["id"], owner.wallet_id);
    let strange = format!("{wallets}/{}", stranger.wallet_id);
    assert_eq!(platform.get(&strange, token).await.0, 404);
    let body = json!({
        "fromWalletId": owner.wallet_id, "to": { "walletId": stranger.wallet_id },
        "amount": { "amount": 10_000, "currency": "NGN" },
    });
    let transfer = platform.client.post(format!("{api}/transactions/transfers")).bearer_auth(token);
    let (status, sent) = read(transfer.header("Idempotency-Key", "order-1").json(&body)).await;
    assert_eq!(status, 201, "{sent}");
    assert_eq!(platform.available(&stranger).await, 10_000);
    for closed in ["transactions", "identity/me", "identity/api-keys", "admin/tickets/mine"] {
        let (status, refused) = platform.get(&format!("{api}/{closed}"), token).await;
        assert_eq!((status, &refused["code"]), (403, &json!("insufficient_scope")), "{closed}");
    }

    let revoke = platform.client.delete(format!("{keys}/{id}")).bearer_auth(&owner.token);
    assert_eq!(read(revoke).await.0, 204);
    assert_eq!(read(exchange()).await.1["error"], "invalid_client");
    platform
        .until("wallet-service has heard of it", async || platform.get(&wallets, token).await.0 == 401)
        .await;
    assert_eq!(platform.get(&wallets, &owner.token).await.0, 200);
}
