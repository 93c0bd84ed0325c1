//! Webhooks as their receiver sees them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha512;

use crate::support::{NOWHERE, Receiver, TestTwin, WEBHOOK_SECRET, config};

fn recomputed(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn money_that_arrives_is_told_as_often_as_asked_and_signed() {
    let receiver = Receiver::refusing(0).await;
    let twin = TestTwin::with(config(&receiver.url, None)).await;
    let (id, account_number) = twin.customer(1).await;
    let body =
        json!({ "accountNumber": account_number, "amount": "150.5", "senderName": "BOLA", "deliveries": 2 });
    let funded = twin.control("/twin/inbound-transfers", &body).await.body;
    let webhooks = receiver.wait_for(2).await;
    assert_eq!(webhooks.len(), 2);
    for webhook in &webhooks {
        assert_eq!(webhook.signature, recomputed(&webhook.body));
        let told: Value = serde_json::from_slice(&webhook.body).unwrap();
        let data =
            json!({ "reference": funded["reference"], "amount": "150.50", "userId": id, "type": "STATIC" });
        assert_eq!(told, json!({ "event": "account_funded", "data": data }));
    }
    assert_eq!(webhooks[0].body, webhooks[1].body);
    let rows = twin.get(&format!("/transaction/customer?customerId={id}")).await.body;
    assert_eq!(rows["metadata"]["totalRecords"], 1);
}

#[tokio::test]
async fn a_receiver_that_refuses_at_first_still_gets_it() {
    let receiver = Receiver::refusing(5).await;
    let twin = TestTwin::with(config(&receiver.url, None)).await;
    let (_, account_number) = twin.customer(1).await;
    twin.fund(&account_number, "1.00").await;
    receiver.wait_for(1).await;
    let delivery = delivered(&twin).await;
    assert_eq!((&delivery["attempts"], &delivery["state"]), (&json!(6), &json!("delivered")));
}

/// The newest delivery in the log, once its last attempt is written down.
async fn delivered(twin: &TestTwin) -> Value {
    for _ in 0..200 {
        let delivery = twin.look("/twin/book").await.body["deliveries"][0].clone();
        if delivery["state"] != "pending" {
            return delivery;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the delivery stays pending");
}

#[tokio::test]
async fn attempts_are_bounded() {
    let mut config = config(NOWHERE, None);
    config.redelivery.attempts = 3;
    let twin = TestTwin::with(config).await;
    let (_, account_number) = twin.customer(1).await;
    twin.fund(&account_number, "1.00").await;
    let delivery = delivered(&twin).await;
    assert_eq!((&delivery["attempts"], &delivery["state"]), (&json!(3), &json!("given_up")));
    assert!(delivery["lastAnswer"].is_string());
}

#[tokio::test]
async fn a_credit_by_the_merchant_is_told_too() {
    let receiver = Receiver::refusing(0).await;
    let twin = TestTwin::with(config(&receiver.url, None)).await;
    let (id, _) = twin.customer(1).await;
    twin.post("/merchant/fund-wallet", &json!({ "amount": 100 })).await;
    let credit = json!({ "amount": 25.5, "reference": "r1", "customerId": id, "metadata": { "k": "v" } });
    twin.post("/wallet/credit", &credit).await;
    let webhooks = receiver.wait_for(1).await;
    let told: Value = serde_json::from_slice(&webhooks[0].body).unwrap();
    assert_eq!(told["event"], "customer_wallet_credited");
    assert_eq!((&told["data"]["customer_id"], &told["data"]["reference"]), (&json!(id), &json!("r1")));
    assert_eq!(told["data"]["metadata"], json!({ "k": "v" }));
}
