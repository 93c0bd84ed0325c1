//! The bank's contract, call by call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{API_KEY, NOWHERE, TestTwin, config, new_wallet, text};

#[tokio::test]
async fn every_bank_call_wants_the_key() {
    let twin = TestTwin::start().await;
    for key in [None, Some("sk_sandbox_wrong"), Some("")] {
        let refused = twin.call(Method::GET, "/api/v1/wallet", key, None).await;
        assert_eq!((refused.status, &refused.body["status"]), (401, &json!(false)), "{key:?}");
    }
    assert_eq!(twin.get("/wallet").await.status, 200);
    assert_eq!(twin.get("/no/such/call").await.status, 404);
    assert_eq!(twin.look("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_wallet_is_made_with_a_virtual_account() {
    let twin = TestTwin::start().await;
    let made = twin.post("/wallet", &new_wallet(1)).await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!(true)), "{made:?}");
    let (customer, wallet) = (&made.body["customer"], &made.body["wallet"]);
    assert_eq!(customer["bvn"], "22220000011");
    assert_eq!(customer["tier"], "TIER_1");
    assert_eq!(customer["nameMatch"], true);
    assert_eq!(customer["metadata"], json!({ "our-reference": 1 }));
    assert_eq!(wallet["walletId"], customer["id"]);
    assert_eq!(wallet["bankName"], "Providus Bank");
    assert_eq!(wallet["bankCode"], "000023");
    assert_eq!(wallet["accountName"], "ADA NUMBER1");
    assert_eq!(wallet["status"], "ACTIVE");
    assert_eq!(wallet["walletType"], "STATIC");
    assert_eq!(wallet["bookedBalance"], 0);
    assert!(wallet["accountReference"].is_string() && wallet["availableBalance"].is_number());
    let account_number = text(&wallet["accountNumber"]);
    assert!(account_number.len() == 10 && account_number.bytes().all(|byte| byte.is_ascii_digit()));
}

#[tokio::test]
async fn a_person_has_one_wallet() {
    let twin = TestTwin::start().await;
    twin.customer(1).await;
    let other = new_wallet(2);
    let same = |field: &str, value: &str| {
        let mut request = other.clone();
        request[field] = json!(value);
        request
    };
    let duplicates =
        [same("bvn", "22220000011"), same("phoneNumber", "08020000001"), same("email", "ADA1@example.com")];
    for request in duplicates {
        let refused = twin.post("/wallet", &request).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.body, json!({ "status": false, "message": "Customer already exist." }));
    }
    let prefixed = same("accountPrefix", "1234");
    let made = twin.post("/wallet", &prefixed).await;
    assert!(text(&made.body["wallet"]["accountNumber"]).starts_with("1234"), "{made:?}");
}

#[tokio::test]
async fn a_bad_wallet_request_is_refused() {
    let twin = TestTwin::start().await;
    let wrong = [
        ("bvn", json!("123")),
        ("bvn", json!("1234567890a")),
        ("firstName", json!(" ")),
        ("dateOfBirth", json!("31/01/1990")),
        ("email", json!("nobody")),
        ("phoneNumber", Value::Null),
        ("accountPrefix", json!("12345")),
    ];
    for (field, value) in wrong {
        let mut request = new_wallet(1);
        request[field] = value;
        let refused = twin.post("/wallet", &request).await;
        assert_eq!((refused.status, &refused.body["status"]), (400, &json!(false)), "{field}");
        assert!(refused.body["message"].is_string());
    }
    let malformed = twin.call(Method::POST, "/api/v1/wallet", Some(API_KEY), Some("{")).await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn customers_and_wallets_are_found_and_changed() {
    let twin = TestTwin::start().await;
    let (id, account_number) = twin.customer(1).await;
    twin.customer(2).await;

    let by_phone = twin.get("/customer/phone?phoneNumber=%2B2348020000001").await;
    assert_eq!(by_phone.body["customer"]["id"], json!(id));
    assert_eq!(twin.get("/customer/phone?phoneNumber=08029999999").await.status, 400);
    assert_eq!(twin.get(&format!("/customer/{id}")).await.body["customer"]["lastName"], "Number1");
    assert_eq!(twin.get("/customer/nobody").await.status, 400);

    let wallet = twin.get(&format!("/wallet/customer?customerId={id}")).await.body["wallet"].clone();
    assert_eq!(wallet["accountNumber"], json!(account_number));
    assert_eq!(
        (&wallet["type"], &wallet["tier"], &wallet["customerId"]),
        (&json!("STATIC"), &json!("TIER_1"), &json!(id))
    );

    let page = twin.get("/wallet?page=2&perPage=1").await.body;
    assert_eq!(page["wallets"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["metadata"], json!({ "page": 2, "totalRecords": 2, "totalPages": 2 }));

    let changed =
        twin.put(&format!("/customer/{id}"), &json!({ "tier": "TIER_3", "lastName": "Changed" })).await;
    assert_eq!((changed.status, &changed.body["customer"]["tier"]), (200, &json!("TIER_3")));
    assert_eq!(changed.body["customer"]["firstName"], "Ada");
    assert_eq!(twin.put(&format!("/customer/{id}"), &json!({ "tier": "GOLD" })).await.status, 400);
}

#[tokio::test]
async fn the_merchant_moves_money_in_and_out_of_a_wallet() {
    let twin = TestTwin::start().await;
    let (id, _) = twin.customer(1).await;
    let movement = |amount: f64, reference: &str| json!({ "amount": amount, "reference": reference, "customerId": id, "metadata": { "k": "v" } });

    let poor = twin.post("/wallet/credit", &movement(10.0, "r0")).await;
    assert_eq!((poor.status, &poor.body["message"]), (400, &json!("Insufficient balance.")));
    assert_eq!(twin.post("/merchant/fund-wallet", &json!({ "amount": 1000 })).await.status, 200);

    let credited = twin.post("/wallet/credit", &movement(150.5, "r1")).await;
    assert_eq!((credited.status, &credited.body["reference"]), (200, &json!("r1")));
    assert!(credited.text.contains(r#""amount":150.5"#), "{}", credited.text);
    assert_eq!(twin.post("/wallet/credit", &movement(150.5, "r1")).await.status, 400);

    let debited = twin.post("/wallet/debit", &movement(50.25, "r2")).await;
    let data = &debited.body["data"];
    assert_eq!((&data["reference"], &data["customer_id"]), (&json!("r2"), &json!(id)), "{debited:?}");
    assert!(data["customer_wallet_id"].is_string() && data["transaction_fee"] == 0);

    let merchant = twin.get("/merchant/wallet").await;
    assert!(merchant.text.contains(r#""availableBalance":899.75"#), "{}", merchant.text);

    for amount in [json!(-1), json!(0), json!(1.005), json!("5"), json!(1e30)] {
        let mut request = movement(1.0, "r3");
        request["amount"] = amount.clone();
        assert_eq!(twin.post("/wallet/credit", &request).await.status, 400, "{amount}");
    }
}

#[tokio::test]
async fn a_closed_wallet_moves_nothing_until_it_is_enabled() {
    let twin = TestTwin::start().await;
    let (id, account_number) = twin.customer(1).await;
    assert_eq!(twin.post("/wallet/close", &json!({ "customerId": id })).await.status, 200);
    let body = json!({ "accountNumber": account_number, "amount": "1.00", "senderName": "BOLA" });
    assert_eq!(twin.control("/twin/inbound-transfers", &body).await.status, 422);
    assert_eq!(twin.post("/wallet/enable", &json!({ "customerId": id })).await.status, 200);
    assert_eq!(twin.control("/twin/inbound-transfers", &body).await.status, 201);
}

#[tokio::test]
async fn transactions_are_listed_in_the_documented_shape() {
    let twin = TestTwin::start().await;
    let (id, account_number) = twin.customer(1).await;
    let reference = text(&twin.fund(&account_number, "9999999999999.99").await.body["reference"]);
    twin.fund(&account_number, "0.05").await;
    let payout =
        json!({ "amount": 100, "sortCode": "000013", "accountNumber": "0123456789", "customerId": id });
    assert_eq!(twin.post("/transfer/bank/customer", &payout).await.status, 200);

    let one = twin.get(&format!("/merchant/transaction/{reference}")).await;
    // The text, because a number that went through a float would have lost its kobo.
    assert!(one.text.contains(r#""amount":9999999999999.99"#), "{}", one.text);
    let row = &one.body["transaction"];
    assert_eq!(row["category"], "WALLET_FUNDED_THROUGH_BANK_TRANSFER");
    assert_eq!((&row["type"], &row["completed"]), (&json!("CREDIT"), &json!(true)));
    assert_eq!((&row["currency"], &row["mode"]), (&json!("NGN"), &json!("SANDBOX")));
    assert_eq!((&row["balance_before"], &row["reference"]), (&json!(0), &json!(reference)));
    assert_eq!(row["source"]["accountName"], "BOLA");
    assert_eq!(row["destination"]["accountNumber"], json!(account_number));
    for field in ["id", "metadata", "balance_after", "description", "createdAt"] {
        assert!(row.get(field).is_some(), "{field}");
    }

    let count = async |path: String| twin.get(&path).await.body["metadata"]["totalRecords"].clone();
    assert_eq!(count(format!("/transaction/customer?customerId={id}")).await, 3);
    assert_eq!(count(format!("/transaction/customer?customerId={id}&type=CREDIT&page=1&perPage=1")).await, 2);
    assert_eq!(count("/merchant/transactions?page=1&type=DEBIT&status=success".to_owned()).await, 1);
    assert_eq!(count("/merchant/transactions?type=ALL&status=pending".to_owned()).await, 0);
    let newest =
        twin.get(&format!("/transaction/customer?customerId={id}&perPage=1")).await.body["transactions"][0]
            .clone();
    assert_eq!((&newest["category"], &newest["userId"]), (&json!("CUSTOMER_BANK_TRANSFER"), &json!(id)));
    assert_eq!(twin.get("/merchant/transaction/unknown").await.status, 400);
    assert_eq!(twin.get("/merchant/transactions?type=OTHER").await.status, 400);
    assert_eq!(twin.get("/merchant/transactions?page=0").await.status, 400);
}

#[tokio::test]
async fn a_bank_account_has_a_name_or_is_unknown() {
    let twin = TestTwin::start().await;
    let (_, account_number) = twin.customer(1).await;
    let banks = twin.get("/transfer/banks").await.body["banks"].clone();
    let known = banks.as_array().unwrap();
    assert!(known.contains(&json!({ "code": "000023", "name": "Providus Bank" })));
    assert!(known.iter().all(|bank| text(&bank["code"]).len() == 6));

    let enquiry = async |code: &str, number: &str| {
        twin.get(&format!("/transfer/account/details?sortCode={code}&accountNumber={number}")).await
    };
    assert_eq!(enquiry("000023", &account_number).await.body["account"]["accountName"], "ADA NUMBER1");
    let (first, second) = (enquiry("000013", "0123456789").await, enquiry("000013", "0123456789").await);
    assert_eq!((first.status, &first.body), (200, &second.body));
    assert_eq!(first.body["account"]["bankCode"], "000013");
    for (code, number) in [("000013", "0123456700"), ("999999", "0123456789"), ("000013", "123")] {
        assert_eq!(enquiry(code, number).await.status, 400, "{code} {number}");
    }
}

#[tokio::test]
async fn a_payout_succeeds_fails_or_stays_pending() {
    let twin = TestTwin::with(provider_twin::Config {
        payout_pending: std::time::Duration::from_millis(200),
        ..config(NOWHERE, None)
    })
    .await;
    twin.post("/merchant/fund-wallet", &json!({ "amount": 10_000 })).await;
    let pay = async |number: &str| {
        let request = json!({
            "amount": 5000, "sortCode": "000013", "narration": "rent", "accountNumber": number,
            "accountName": "ADA", "metadata": { "ours": "payout-1" },
        });
        twin.post("/transfer/bank", &request).await
    };

    let paid = pay("0123456789").await;
    let transfer = &paid.body["transfer"];
    assert_eq!((paid.status, &transfer["status"]), (200, &json!("success")), "{paid:?}");
    assert!(paid.text.contains(r#""total":5026.88"#) && paid.text.contains(r#""vat":1.88"#), "{}", paid.text);
    assert_eq!(text(&transfer["sessionID"]).len(), 30);
    assert!(transfer["transactionReference"].is_string() && transfer["transactionId"].is_string());

    let failed = pay("0123456788").await;
    assert_eq!((failed.status, &failed.body["message"]), (400, &json!("Transaction failed.")));
    assert_eq!(failed.body["transfer"]["status"], "failed");
    assert!(failed.body["transfer"]["reference"].is_string());

    assert_eq!(pay("0123456700").await.status, 400);
    assert_eq!(pay("0123456789").await.body["message"], "Insufficient balance.");

    twin.post("/merchant/fund-wallet", &json!({ "amount": 10_000 })).await;
    let pending = pay("0123456777").await;
    assert_eq!((pending.status, &pending.body["transfer"]["status"]), (200, &json!("pending")));
    let path = format!("/merchant/transaction/{}", text(&pending.body["transfer"]["reference"]));
    let row = twin.get(&path).await.body["transaction"].clone();
    assert_eq!((&row["completed"], &row["metadata"]["ours"]), (&json!(false), &json!("payout-1")));
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(twin.get(&path).await.body["transaction"]["completed"], true);
}

#[tokio::test]
async fn money_moves_between_wallets() {
    let twin = TestTwin::start().await;
    let ((ada, account_number), (bola, _)) = (twin.customer(1).await, twin.customer(2).await);
    twin.fund(&account_number, "100.00").await;
    let transfer = async |from: &str, to: &str, amount: u32| {
        let body = json!({ "amount": amount, "fromCustomerId": from, "toCustomerId": to });
        twin.post("/transfer/wallet", &body).await
    };
    let moved = transfer(&ada, &bola, 60).await;
    let data = &moved.body["data"];
    assert_eq!((moved.status, &data["total"], &data["transaction_fee"]), (200, &json!(60), &json!(0)));
    assert_eq!((&data["source_customer_id"], &data["target_customer_id"]), (&json!(ada), &json!(bola)));
    assert_eq!(transfer(&ada, &bola, 60).await.status, 400);
    assert_eq!(transfer(&ada, &ada, 1).await.status, 400);
    let balance =
        twin.get(&format!("/wallet/customer?customerId={bola}")).await.body["wallet"]["availableBalance"]
            .clone();
    assert_eq!(balance, 60);
}
