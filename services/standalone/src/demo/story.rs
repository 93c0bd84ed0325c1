//! The steps of the main job, in order.

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Options,
    api::{Api, Call, heading},
    people::Person,
};

/// Kobo.
const FUNDED: i64 = 500_000;
const SENT: i64 = 150_000;

pub(super) async fn play(options: &Options) -> anyhow::Result<()> {
    let api = Api::new(&options.gateway)?;
    let bank = Api::new(&options.twin)?;
    let (mut ada, mut bola) = (Person::new("Ada"), Person::new("Bola"));

    register(&api, &mut ada, &mut bola).await?;
    verify_identity(&api, &mut ada, &mut bola).await?;
    log_in(&api, &mut ada, &mut bola).await?;
    fund(&api, &bank, &ada).await?;
    let transaction = send_money(&api, &ada, &bola).await?;
    look_back(&api, &ada, &bola, &transaction).await?;
    let ticket = support(&api, options, &ada, &transaction).await?;
    audit(&api, options, &transaction, &ticket, &ada).await
}

async fn register(api: &Api, ada: &mut Person, bola: &mut Person) -> anyhow::Result<()> {
    heading("Two people register");
    for person in [&mut *ada, &mut *bola] {
        let created = StatusCode::CREATED;
        let answer = api.post("/api/v1/identity/register", None, person.registration(), created).await?;
        person.user_id = text(&answer, "/user/id")?;
        person.token = text(&answer, "/tokens/accessToken")?;
    }
    heading("Each gets a wallet, because wallet-service heard of it from Kafka");
    for person in [ada, bola] {
        let wallet = |page: &Value| page.pointer("/items/0/id")?.as_str().map(str::to_owned);
        person.wallet_id = api.wait("a wallet", "/api/v1/wallet/wallets", &person.token, wallet).await?;
    }
    Ok(())
}

async fn verify_identity(api: &Api, ada: &mut Person, bola: &mut Person) -> anyhow::Result<()> {
    heading("Both give their BVN, which is verified");
    for person in [&*ada, &*bola] {
        let body = json!({ "bvn": person.bvn, "dateOfBirth": "1990-05-17" });
        let answer = api.post("/api/v1/identity/kyc/bvn", Some(&person.token), body, StatusCode::OK).await?;
        ensure!(answer.pointer("/user/kycTier") == Some(&json!(1)), "{} is not at tier 1", person.name);
    }
    heading("The provider issues an account number for each wallet");
    for person in [ada, bola] {
        let path = format!("/api/v1/wallet/wallets/{}", person.wallet_id);
        let number = |wallet: &Value| {
            let account = wallet.pointer("/virtualAccounts/0")?;
            account.get("accountNumber")?.as_str().map(str::to_owned)
        };
        person.account_number = api.wait("an account number", &path, &person.token, number).await?;
    }
    Ok(())
}

async fn log_in(api: &Api, ada: &mut Person, bola: &mut Person) -> anyhow::Result<()> {
    heading("Both log in: one with the e-mail address, one with the phone number");
    ada.token = token(api, &ada.email, &ada.password).await?;
    bola.token = token(api, &bola.phone, &bola.password).await?;
    Ok(())
}

async fn token(api: &Api, identifier: &str, password: &str) -> anyhow::Result<String> {
    let body = json!({ "identifier": identifier, "password": password });
    let answer = api.post("/api/v1/identity/login", None, body, StatusCode::OK).await?;
    text(&answer, "/tokens/accessToken")
}

async fn fund(api: &Api, bank: &Api, ada: &Person) -> anyhow::Result<()> {
    heading("Money arrives at Ada's account number; the bank sends its signed webhook twice");
    let body = json!({
        "accountNumber": ada.account_number, "amount": "5000.00", "senderName": "Chidi Example", "deliveries": 2,
    });
    bank.post("/twin/inbound-transfers", None, body, StatusCode::CREATED).await?;
    heading("It is verified, fetched again from the bank, and credited once");
    let path = format!("/api/v1/wallet/wallets/{}/balance", ada.wallet_id);
    let credited = |balance: &Value| balance.get("available")?.as_i64().filter(|amount| *amount > 0);
    let available = api.wait("the deposit", &path, &ada.token, credited).await?;
    ensure!(available == FUNDED, "credited {available} and not {FUNDED}");
    Ok(())
}

async fn send_money(api: &Api, ada: &Person, bola: &Person) -> anyhow::Result<String> {
    heading("Ada sends Bola money, twice with one Idempotency-Key: it moves once");
    let key = format!("demo-{}", ada.wallet_id);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let body = json!({
            "fromWalletId": ada.wallet_id, "to": { "phoneNumber": bola.phone },
            "amount": { "amount": SENT, "currency": "NGN" }, "narration": "For the market",
        });
        let call = Call {
            method: Method::POST,
            path: "/api/v1/transactions/transfers",
            token: Some(&ada.token),
            body: Some(body),
            idempotency_key: Some(&key),
        };
        let answer = api.call(call).await?;
        ensure!(answer.status == StatusCode::CREATED, "the transfer answered {}", answer.status);
        answers.push(answer);
    }
    let same = answers[0].body == answers[1].body;
    ensure!(
        same && !answers[0].replayed && answers[1].replayed,
        "the second answer is not a replay of the first"
    );
    text(&answers[0].body, "/id")
}

async fn look_back(api: &Api, ada: &Person, bola: &Person, transaction: &str) -> anyhow::Result<()> {
    heading("Both see balance, entries with the balance after each, and transactions");
    for (person, expected) in [(ada, FUNDED - SENT), (bola, SENT)] {
        let wallet = format!("/api/v1/wallet/wallets/{}", person.wallet_id);
        let balance = api.get(&format!("{wallet}/balance"), &person.token).await?;
        ensure!(
            balance.get("available") == Some(&json!(expected)),
            "{} does not have {expected}",
            person.name
        );
        let entries = api.get(&format!("{wallet}/entries"), &person.token).await?;
        let after = entries.pointer("/items/0/balanceAfter");
        ensure!(after == Some(&json!(expected)), "the last entry of {} does not say so", person.name);
        let listed = |page: &Value| {
            let items = page.get("items")?.as_array()?;
            items.iter().any(|item| item.get("id") == Some(&json!(transaction))).then_some(())
        };
        api.wait("the transaction", "/api/v1/transactions", &person.token, listed).await?;
    }
    let deposit = |page: &Value| {
        let items = page.get("items")?.as_array()?;
        items.iter().any(|item| item.get("type") == Some(&json!("deposit"))).then_some(())
    };
    api.wait("the deposit", "/api/v1/transactions?type=deposit", &ada.token, deposit).await
}

async fn support(api: &Api, options: &Options, ada: &Person, transaction: &str) -> anyhow::Result<String> {
    heading("A support agent logs in, opens a ticket about that transaction, resolves it");
    let agent = token(api, &options.support_email, &options.support_password).await?;
    let body = json!({
        "subject": "Was it sent twice?", "description": "The customer pressed the button twice.",
        "requesterId": ada.user_id, "relatedTo": { "type": "transaction", "id": transaction },
    });
    let ticket = api.post("/api/v1/admin/tickets", Some(&agent), body, StatusCode::CREATED).await?;
    let id = text(&ticket, "/id")?;
    let body = json!({ "resolution": "One transfer, one key: the money moved once." });
    let path = format!("/api/v1/admin/tickets/{id}/resolve");
    let resolved = api.post(&path, Some(&agent), body, StatusCode::OK).await?;
    ensure!(resolved.get("status") == Some(&json!("resolved")), "the ticket is not resolved");
    Ok(id)
}

async fn audit(
    api: &Api,
    options: &Options,
    transaction: &str,
    ticket: &str,
    ada: &Person,
) -> anyhow::Result<()> {
    heading("A compliance officer reads the audit log, in which all of it stands");
    let officer = token(api, &options.compliance_email, &options.compliance_password).await?;
    for (subject, actions) in [
        (format!("user:{}", ada.user_id), ["identity.user.registered", "identity.user.verified"]),
        (format!("wallet:{}", ada.wallet_id), ["wallet.created", "wallet.credited"]),
        (format!("transaction:{transaction}"), ["transaction.initiated", "transaction.completed"]),
        (format!("ticket:{ticket}"), ["admin.ticket.created", "admin.ticket.resolved"]),
    ] {
        let path = format!("/api/v1/admin/audit-logs?subject={subject}");
        let all = |page: &Value| {
            let items = page.get("items")?.as_array()?;
            let has = |action: &str| items.iter().any(|item| item.get("action") == Some(&json!(action)));
            actions.into_iter().all(has).then_some(())
        };
        api.wait("the audit entries", &path, &officer, all).await?;
    }
    let chain = api.get("/api/v1/admin/audit-logs/verify", &officer).await?;
    ensure!(chain.get("ok") == Some(&json!(true)), "the audit log's chain is broken");
    Ok(())
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no {pointer}"))
}
