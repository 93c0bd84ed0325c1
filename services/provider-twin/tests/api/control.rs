//! The control calls.

use serde_json::{Value, json};

use crate::support::{NOWHERE, TestTwin, config, text};

#[tokio::test]
async fn bad_inbound_transfers_are_refused() {
    let twin = TestTwin::start().await;
    let (_, account_number) = twin.customer(1).await;
    let good = json!({ "accountNumber": account_number, "amount": "150.00", "senderName": "BOLA" });
    let wrong = [
        ("amount", json!("0.00"), 400),
        ("amount", json!("-1.00"), 400),
        ("amount", json!("1.005"), 400),
        ("amount", json!(150), 400),
        ("amount", json!("99999999999999999999"), 400),
        ("senderName", json!(""), 400),
        ("deliveries", json!(0), 400),
        ("deliveries", json!(21), 400),
        ("unknown", json!(1), 400),
        ("accountNumber", json!("0000000000"), 404),
    ];
    for (field, value, status) in wrong {
        let mut body = good.clone();
        body[field] = value.clone();
        let refused = twin.control("/twin/inbound-transfers", &body).await;
        assert_eq!(refused.status, status, "{field} {value}: {refused:?}");
        assert!(refused.body["message"].is_string());
    }
    assert_eq!(twin.look("/twin/book").await.body["counts"]["transactions"], 0);
}

#[tokio::test]
async fn the_book_shows_what_happened_and_no_bvn() {
    let twin = TestTwin::start().await;
    let (id, account_number) = twin.customer(1).await;
    let funded = twin.fund(&account_number, "150.00").await.body;
    assert_eq!(funded["amount"], "150.00");
    assert_eq!(funded["accountNumber"], json!(account_number));
    assert_eq!(funded["webhookDeliveries"], 1);
    let book = twin.look("/twin/book").await;
    assert_eq!(book.body["customers"][0]["id"], json!(id));
    assert_eq!(book.body["customers"][0]["balance"], 150);
    assert_eq!(book.body["customers"][0]["bvn"], "*******0011");
    assert_eq!(book.body["transactions"][0]["reference"], funded["reference"]);
    assert_eq!(book.body["deliveries"][0]["reference"], funded["reference"]);
    assert!(!book.text.contains("22220000011"), "{}", book.text);
}

#[tokio::test]
async fn a_provider_that_is_down_answers_503_and_can_still_be_controlled() {
    let twin = TestTwin::start().await;
    let (id, account_number) = twin.customer(1).await;
    let set = async |mode: &str| twin.control("/twin/faults", &json!({ "mode": mode })).await;
    assert_eq!(set("down").await.body, json!({ "mode": "down" }));
    let down = twin.get(&format!("/customer/{id}")).await;
    assert_eq!((down.status, &down.body["status"]), (503, &json!(false)));
    assert_eq!(twin.control("/kyc/bvn/verify", &json!({})).await.status, 503);
    assert_eq!(twin.look("/health/live").await.status, 200);
    twin.fund(&account_number, "1.00").await;
    set("up").await;
    assert_eq!(twin.get(&format!("/customer/{id}")).await.status, 200);
    assert_eq!(set("sideways").await.status, 400);
}

#[tokio::test]
async fn messages_are_kept_to_be_looked_at() {
    let twin = TestTwin::start().await;
    let send = async |channel: &str, to: &str, body: &str| {
        let message = json!({ "channel": channel, "to": to, "subject": "Code", "body": body });
        twin.control("/twin/messages", &message).await
    };
    let kept = send("email", "ada@example.com", "your code is 1").await;
    assert_eq!((kept.status, kept.body["id"].is_string()), (201, true));
    send("sms", "+2348020000001", "your code is 2").await;
    send("email", "ada@example.com", "your code is 3").await;
    let bodies = async |path: &str| -> Vec<String> {
        let listed = twin.look(path).await.body["items"].clone();
        listed.as_array().unwrap().iter().map(|message: &Value| text(&message["body"])).collect()
    };
    assert_eq!(bodies("/twin/messages?to=ada@example.com").await, ["your code is 3", "your code is 1"]);
    assert_eq!(bodies("/twin/messages?to=%2B2348020000001").await, ["your code is 2"]);
    assert_eq!(bodies("/twin/messages").await.len(), 3);
    assert_eq!(send("pigeon", "ada@example.com", "x").await.status, 400);
    assert_eq!(send("email", " ", "x").await.status, 400);
    assert_eq!(send("email", "a", &"x".repeat(10_001)).await.status, 400);
    assert_eq!(twin.look("/twin/book").await.body["counts"]["messages"], 3);
}

#[tokio::test]
async fn people_read_messages_on_a_page_that_runs_nothing() {
    let twin = TestTwin::start().await;
    let script =
        json!({ "channel": "sms", "to": "+2348020000001", "body": "<script>alert('1')</script> & more" });
    twin.control("/twin/messages", &script).await;
    let page = reqwest::get(format!("{}/twin/mailbox?to=%2B2348020000001", twin.address)).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; more"), "{text}");
    assert!(!text.contains("<script"), "{text}");
    let other =
        reqwest::get(format!("{}/twin/mailbox?to=\"><b>", twin.address)).await.unwrap().text().await.unwrap();
    assert!(other.contains("No messages.") && other.contains("value=\"&quot;&gt;&lt;b&gt;\""), "{other}");
}

#[tokio::test]
async fn no_message_is_written_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("book.json");
    let twin = TestTwin::with(config(NOWHERE, Some(&file))).await;
    twin.customer(1).await;
    for number in 0..3 {
        let message =
            json!({ "channel": "email", "to": "ada@example.com", "body": format!("secret {number}") });
        assert_eq!(twin.control("/twin/messages", &message).await.status, 201);
    }
    assert_eq!(twin.look("/twin/messages").await.body["items"].as_array().unwrap().len(), 3);
    twin.stop().await;
    assert!(!std::fs::read_to_string(&file).unwrap().contains("secret"));
}
