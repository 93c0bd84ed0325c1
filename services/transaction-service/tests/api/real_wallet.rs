//! The main path against the real wallet-service and its ledger.

use std::sync::Arc;

use axum::{Router, body::Body, http::StatusCode};
use common_db::testing::TestDb;
use common_utils::{clock::SharedClock, config::Env, ids};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use wallet_service::providers::Providers;

use crate::{
    peers::new_person,
    support::{Answer, Customer, World, between, read, request},
};

struct RealWallet {
    router: Router,
    db: TestDb,
    _stop: DropGuard,
}

/// The service, with the real wallet-service beside it.
async fn platform() -> (World, RealWallet) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = World::with(|config| config.wallet_url = url).await;
    let db = TestDb::create("wallet", &wallet_service::migrations()).await;
    let env = Env::from_values("wallet", [("REDIS_PORT".to_owned(), "1".to_owned())].into());
    let config = wallet_service::config::Config {
        database: db.config.clone(),
        ..wallet_service::config::Config::from_env(&env).unwrap()
    };
    let clock: SharedClock = Arc::clone(&world.clock) as SharedClock;
    let authenticator = world.authenticator_of(wallet_service::SERVICE_NAME);
    let app = wallet_service::App::new(config, authenticator, Providers::default(), clock).unwrap();
    let router = app.router();
    let stop = CancellationToken::new();
    let served = common_utils::http::server::serve(listener, router.clone(), stop.clone());
    tokio::spawn(served);
    (world, RealWallet { router, db, _stop: stop.drop_guard() })
}

impl RealWallet {
    async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let request = request(method, path, token)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        read(tower::ServiceExt::oneshot(self.router.clone(), request).await.unwrap()).await
    }

    /// Somebody with a real wallet and NGN 1,000.00 in it.
    async fn customer(&self, world: &World, first: &str, last: &str) -> Customer {
        let person = new_person(first, last);
        world.peers.book().people.push(person.clone());
        let token = world.token(person.id);
        let opened = self.call("POST", "/api/v1/wallet/wallets", &token, &json!({"currency": "NGN"})).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
        let funding = json!({"postings": [{
            "id": ids::new_id(), "type": "deposit", "description": "Deposit",
            "legs": [{"debit": {"platform": "provider_settlement:providus"}, "credit": {"walletId": opened.id()},
                      "amount": {"amount": 100_000, "currency": "NGN"}}]
        }]});
        let services = world.services.calling(wallet_service::SERVICE_NAME);
        let service = services.mint("transaction-service").unwrap();
        let funded = self.call("POST", "/internal/v1/postings", &service, &funding).await;
        assert_eq!(funded.body["results"][0]["outcome"], "posted", "{}", funded.body);
        Customer { person, wallet: opened.id(), number: String::new(), token }
    }

    async fn balance(&self, owner: &Customer) -> i64 {
        let path = format!("/api/v1/wallet/wallets/{}/balance", owner.wallet);
        self.call("GET", &path, &owner.token, &Value::Null).await.body["posted"].as_i64().unwrap()
    }

    async fn freeze(&self, world: &World, wallet: Uuid) {
        let service = world.services.calling(wallet_service::SERVICE_NAME).mint("admin-service").unwrap();
        let path = format!("/internal/v1/wallets/{wallet}/freeze");
        let order = json!({"reason": "fraud", "actorId": ids::new_id()});
        let frozen = self.call("POST", &path, &service, &order).await;
        assert_eq!(frozen.status, StatusCode::OK, "{}", frozen.body);
    }
}

#[tokio::test]
async fn money_moves_once_on_the_real_ledger() {
    let (world, wallets) = platform().await;
    let ada = wallets.customer(&world, "Ada", "Obi").await;
    let bola = wallets.customer(&world, "Bola", "Ade").await;
    let mut body = between(&ada, &bola, 25_000);
    body["narration"] = json!("for the bus");
    let sent = world.transfer(&ada, "k1", &body).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    assert_eq!(sent.body["counterparty"]["name"], "Bola A.");
    let again = world.transfer(&ada, "k1", &body).await;
    assert_eq!((again.status, &again.body, again.replayed()), (sent.status, &sent.body, true));
    assert_eq!((wallets.balance(&ada).await, wallets.balance(&bola).await), (75_000, 125_000));

    let path = format!("/api/v1/wallet/wallets/{}/entries", bola.wallet);
    let entries = wallets.call("GET", &path, &bola.token, &Value::Null).await;
    let entry = &entries.body["items"][0];
    assert_eq!((&entry["transactionId"], &entry["balanceAfter"]), (&json!(sent.id()), &json!(125_000)));
    assert_eq!(entry["description"], "for the bus");
    // The ledger's events belong to the sender's request, though other requests shared the call.
    let requests: Vec<String> = sqlx::query_scalar(
        "SELECT payload::jsonb ->> 'correlationid' FROM outbox WHERE payload::jsonb #>> '{data,transactionId}' = $1",
    )
    .bind(sent.id().to_string())
    .fetch_all(&wallets.db.pool)
    .await
    .unwrap();
    assert_eq!(requests, ["test-17", "test-17"]);
}

#[tokio::test]
async fn the_real_ledger_refuses_in_words_that_are_understood() {
    let (world, wallets) = platform().await;
    let ada = wallets.customer(&world, "Ada", "Obi").await;
    let bola = wallets.customer(&world, "Bola", "Ade").await;
    let poor = world.transfer(&ada, "k1", &between(&ada, &bola, 100_001)).await;
    assert_eq!((poor.status.as_u16(), poor.code()), (422, "insufficient_funds"));
    wallets.freeze(&world, bola.wallet).await;
    let frozen = world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await;
    assert_eq!(
        (frozen.code(), &frozen.body["detail"]),
        ("wallet_frozen", &json!("The recipient's wallet is frozen."))
    );
    assert_eq!(world.statuses().await, ["failed", "failed"]);
    assert_eq!((wallets.balance(&ada).await, wallets.balance(&bola).await), (100_000, 100_000));
}
