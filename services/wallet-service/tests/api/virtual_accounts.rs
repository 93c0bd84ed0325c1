//! Account numbers: issued once, when the provider is there, for the right person.

use axum::http::StatusCode;
use common_utils::ids::UserId;
use serde_json::{Value, json};
use sqlx::Row;

use crate::webhooks_bank::{Bank, eventually, person};

/// What `POST /wallet` takes, for this person, as made for `user`.
fn new_customer(person: &Value, user: Option<UserId>) -> Value {
    let mut body = person.clone();
    let metadata = user.map_or_else(|| json!({}), |user| json!({ "userId": user }));
    body["metadata"] = metadata;
    body
}

async fn attempts(bank: &Bank, wallet: uuid::Uuid) -> (i32, Option<String>) {
    let row = sqlx::query("SELECT attempts, last_error FROM virtual_accounts WHERE wallet_id = $1")
        .bind(wallet)
        .fetch_one(&bank.db.pool)
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_verified_person_gets_an_account_number() {
    let bank = Bank::open().await;
    let (user, wallet) = bank.wallet().await;
    let ada = person(user);
    bank.verify(user, ada.clone());
    let _issuer = bank.issuer();
    bank.request(user, wallet).await;
    let number = eventually("an account number", || bank.number(wallet)).await;

    let events = bank.events("wallet.virtual_account.issued").await;
    assert_eq!(events.len(), 1);
    let (event, data) = (&events[0], &events[0]["data"]);
    assert_eq!(data["accountNumber"], number);
    assert_eq!(data["userId"], json!(user));
    assert_eq!(data["bankName"], "Providus Bank");
    assert_eq!(event["actor"], "provider:providus");
    let correlation: String =
        bank.one("SELECT correlation_id FROM virtual_accounts WHERE wallet_id = $1", wallet.uuid()).await;
    assert_eq!(event["correlationid"], correlation);

    // The BVN went to the provider and nowhere else.
    let bvn = ada["bvn"].as_str().unwrap();
    for table in ["outbox", "virtual_accounts", "provider_customers", "webhooks"] {
        let statement =
            format!("SELECT count(*) FROM {table} AS kept WHERE kept::text LIKE '%' || $1 || '%'");
        let held: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(bvn)
            .fetch_one(&bank.db.pool)
            .await
            .unwrap();
        assert_eq!(held, 0, "{table}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_delays_the_number() {
    let bank = Bank::open().await;
    let (user, wallet) = bank.wallet().await;
    bank.verify(user, person(user));
    bank.twin_is("down").await;
    let _issuer = bank.issuer();
    bank.request(user, wallet).await;
    let error = eventually("a failed attempt", async || attempts(&bank, wallet.uuid()).await.1).await;
    assert!(error.contains("unavailable"), "{error}");
    assert_eq!(bank.number(wallet).await, None);
    bank.twin_is("up").await;
    eventually("an account number", || bank.number(wallet)).await;
    let (tried, error) = attempts(&bank, wallet.uuid()).await;
    assert!(tried > 1 && error.is_none());
}

#[tokio::test]
async fn a_person_who_is_verified_later_gets_the_number_later() {
    let bank = Bank::open().await;
    let (user, wallet) = bank.wallet().await;
    let _issuer = bank.issuer();
    bank.request(user, wallet).await;
    let error = eventually("a failed attempt", async || attempts(&bank, wallet.uuid()).await.1).await;
    assert!(error.contains("not verified"), "{error}");
    bank.verify(user, person(user));
    eventually("an account number", || bank.number(wallet)).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_recovered() {
    let bank = Bank::open().await;
    for made_for_us in [true, false] {
        let (user, wallet) = bank.wallet().await;
        let ada = person(user);
        bank.verify(user, ada.clone());
        // Made at the provider by an earlier call, or by another system under the same name and date of birth.
        let body = new_customer(&ada, made_for_us.then_some(user));
        let (status, made) = bank.ask_twin("/api/v1/wallet", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let issuer = bank.issuer();
        bank.request(user, wallet).await;
        let number = eventually("an account number", || bank.number(wallet)).await;
        assert_eq!(made["wallet"]["accountNumber"], number);
        let customer: String =
            bank.one("SELECT customer_id FROM provider_customers WHERE user_id = $1", user.uuid()).await;
        assert_eq!(made["customer"]["id"], customer);
        issuer.stopped().await;
    }
}

#[tokio::test]
async fn the_account_of_somebody_else_is_never_taken() {
    let bank = Bank::open().await;
    let (user, wallet) = bank.wallet().await;
    let ada = person(user);
    bank.verify(user, ada.clone());
    // Somebody else is a customer under Ada's phone number, made for another of our users.
    let (status, _) = bank.ask_twin("/api/v1/wallet", &new_customer(&ada, Some(UserId::new()))).await;
    assert_eq!(status, StatusCode::CREATED);
    let _issuer = bank.issuer();
    bank.request(user, wallet).await;
    let error = eventually("a failed attempt", async || attempts(&bank, wallet.uuid()).await.1).await;
    assert!(error.contains("another customer"), "{error}");
    assert_eq!(bank.number(wallet).await, None);
}

#[tokio::test]
async fn two_workers_issue_each_number_once() {
    let bank = Bank::open().await;
    let mut wallets = Vec::new();
    for _ in 0..12 {
        let (user, wallet) = bank.wallet().await;
        bank.verify(user, person(user));
        bank.request(user, wallet).await;
        wallets.push(wallet);
    }
    let _workers = (bank.issuer(), bank.issuer());
    for wallet in wallets {
        eventually("an account number", || bank.number(wallet)).await;
    }
    assert_eq!(bank.events("wallet.virtual_account.issued").await.len(), 12);
}
