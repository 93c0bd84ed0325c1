//! Money that arrives: credited once, on the provider's own record, whatever happens in between.

use common_utils::{ids::WalletId, telemetry::metrics};
use serde_json::json;
use wallet_service::webhooks::Patience;

use crate::webhooks_bank::{Bank, eventually, funded};

fn ended(status: &str, result: &str) -> (String, Option<String>) {
    (status.to_owned(), Some(result.to_owned()))
}

async fn deposits(bank: &Bank) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM deposits").fetch_one(&bank.db.pool).await.unwrap()
}

async fn credited(bank: &Bank, wallet: WalletId, amount: i64) {
    eventually("the money", async || (bank.balance(wallet).await == amount).then_some(())).await;
}

#[tokio::test]
async fn money_that_arrives_is_credited_once() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let _handler = bank.handler();
    let reference = bank.transfer_in(&account.number, "150.55", 5).await;
    credited(&bank, account.wallet, 15_055).await;
    assert_eq!(bank.settled(1).await, [ended("handled", "credited")]);
    assert_eq!((deposits(&bank).await, bank.platform("provider_settlement:providus").await), (1, -15_055));

    let events = bank.events("wallet.credited").await;
    assert_eq!(events.len(), 1);
    let (event, data) = (&events[0], &events[0]["data"]);
    assert_eq!(data["transactionType"], "deposit");
    assert_eq!(data["providerReference"], reference);
    assert_eq!(data["counterpartyName"], "Bola Example");
    assert_eq!(data["amount"], json!({"amount": 15_055, "currency": "NGN"}));
    assert_eq!(event["actor"], "provider:providus");
    let id: uuid::Uuid =
        bank.one("SELECT id FROM deposits WHERE wallet_id = $1", account.wallet.uuid()).await;
    assert_eq!(data["transactionId"], json!(id));
    let correlation: String =
        sqlx::query_scalar("SELECT correlation_id FROM webhooks").fetch_one(&bank.db.pool).await.unwrap();
    assert_eq!(event["correlationid"], correlation);
}

#[tokio::test]
async fn a_long_name_of_the_sender_keeps_no_money_back() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let _handler = bank.handler();
    // As long as a sender's name is kept, in one, two and four bytes for each character.
    for (count, letter) in ["B", "ọ", "𝔅"].into_iter().enumerate() {
        let name = letter.repeat(200);
        let sent = json!({"accountNumber": account.number, "amount": "10.00", "senderName": name});
        let (status, answer) = bank.ask_twin("/twin/inbound-transfers", &sent).await;
        assert!(status.is_success(), "{answer}");
        assert_eq!(bank.settled(count + 1).await[count], ended("handled", "credited"), "{letter}");
    }
    assert_eq!(bank.balance(account.wallet).await, 3_000);
    let events = bank.events("wallet.credited").await;
    assert_eq!(events[1]["data"]["counterpartyName"], "ọ".repeat(200));
    let descriptions: Vec<String> =
        sqlx::query_scalar("SELECT description FROM entries WHERE account_id = $1 ORDER BY id")
            .bind(account.wallet.uuid())
            .fetch_all(&bank.db.pool)
            .await
            .unwrap();
    assert_eq!(descriptions[2], format!("Deposit from {}", "𝔅".repeat(187)));
}

#[tokio::test]
async fn other_webhooks_for_the_same_money_credit_nothing_more() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let reference = bank.transfer_in(&account.number, "150.00", 1).await;
    // The same reference in other words.
    for amount in ["150", "150.0", "150.000"] {
        bank.deliver(funded(&reference, amount, &account.customer)).await;
    }
    eventually("four webhooks", async || (bank.webhooks().await.len() == 4).then_some(())).await;
    let _workers = (bank.handler(), bank.handler());
    let ends = bank.settled(4).await;
    assert_eq!(ends.iter().filter(|end| **end == ended("handled", "credited")).count(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|end| **end == ended("handled", "already_credited")).count(), 3);
    assert_eq!((bank.balance(account.wallet).await, deposits(&bank).await), (15_000, 1));
}

#[tokio::test]
async fn many_deposits_with_two_workers_at_once_are_exact() {
    let bank = Bank::open().await;
    let (one, other) = (bank.account().await, bank.account().await);
    let _workers = (bank.handler(), bank.handler());
    for round in 1..=15 {
        for account in [&one, &other] {
            let reference = bank.transfer_in(&account.number, &format!("{round}.01"), 2).await;
            bank.deliver(funded(&reference, &format!("{round}.010"), &account.customer)).await;
        }
    }
    let ends = bank.settled(60).await;
    assert_eq!(ends.iter().filter(|end| **end == ended("handled", "credited")).count(), 30);
    let each = 120 * 100 + 15;
    assert_eq!((bank.balance(one.wallet).await, bank.balance(other.wallet).await), (each, each));
    assert_eq!(bank.platform("provider_settlement:providus").await, -2 * each);
}

#[tokio::test]
async fn a_webhook_that_the_provider_does_not_back_credits_nothing() {
    let bank = Bank::open().await;
    let (ada, bola) = (bank.account().await, bank.account().await);
    let reference = bank.transfer_in(&ada.number, "150.00", 1).await;
    let forged = [
        ("unknown_reference", funded("XPW-never-happened", "150.00", &ada.customer)),
        ("unknown_reference", funded("../../wallet", "150.00", &ada.customer)),
        ("amount_mismatch", funded(&reference, "999999.00", &ada.customer)),
        ("customer_mismatch", funded(&reference, "150.00", &bola.customer)),
    ];
    let _handler = bank.handler();
    credited(&bank, ada.wallet, 15_000).await;
    for (count, (result, body)) in forged.into_iter().enumerate() {
        bank.deliver(body).await;
        assert_eq!(bank.settled(count + 2).await.last(), Some(&ended("failed", result)));
    }
    // The merchant's own credit is at the provider too, and is no money from a bank.
    let moved = json!({"amount": 5, "reference": "M1", "customerId": ada.customer, "metadata": {}});
    bank.ask_twin("/api/v1/merchant/fund-wallet", &json!({"amount": 100})).await;
    let (status, answer) = bank.ask_twin("/api/v1/wallet/credit", &moved).await;
    assert!(status.is_success(), "{answer}");
    bank.deliver(funded("M1", "5.00", &ada.customer)).await;
    let ends = bank.settled(7).await;
    assert!(ends.contains(&ended("failed", "not_inbound")), "{ends:?}");
    assert_eq!((bank.balance(ada.wallet).await, bank.balance(bola.wallet).await), (15_000, 0));
    assert_eq!(deposits(&bank).await, 1);
}

#[tokio::test]
async fn a_provider_that_is_down_delays_the_money() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    bank.transfer_in(&account.number, "10.00", 1).await;
    eventually("the webhook", async || (bank.webhooks().await.len() == 1).then_some(())).await;
    bank.twin_is("down").await;
    let _handler = bank.handler();
    let waiting = eventually("a failed attempt", async || bank.webhooks().await[0].1.clone()).await;
    assert!(waiting.contains("unavailable"), "{waiting}");
    assert_eq!(bank.balance(account.wallet).await, 0);
    bank.twin_is("up").await;
    credited(&bank, account.wallet, 1_000).await;
}

#[tokio::test]
async fn what_a_crash_left_is_handled_after_the_restart() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    // Stored, and nobody is there to handle it.
    bank.transfer_in(&account.number, "10.00", 1).await;
    eventually("the webhook", async || (bank.webhooks().await.len() == 1).then_some(())).await;
    assert_eq!(bank.webhooks().await, [("received".to_owned(), None)]);
    let handler = bank.handler();
    credited(&bank, account.wallet, 1_000).await;
    handler.stopped().await;

    // Taken by a worker that died: due again when its lease ends.
    bank.transfer_in(&account.number, "5.00", 1).await;
    eventually("the webhook", async || (bank.webhooks().await.len() == 2).then_some(())).await;
    let lease = "UPDATE webhooks SET attempts = 1, next_attempt_at = now() + interval '2 seconds' WHERE status = 'received'";
    sqlx::query(lease).execute(&bank.db.pool).await.unwrap();
    let _handler = bank.handler();
    credited(&bank, account.wallet, 1_500).await;
}

#[tokio::test]
async fn operators_see_how_long_a_webhook_has_waited() {
    metrics::install().unwrap();
    let bank = Bank::open().await;
    let account = bank.account().await;
    bank.twin_is("down").await;
    bank.deliver(funded("R1", "1.00", &account.customer)).await;
    let age = "UPDATE webhooks SET received_at = now() - interval '1 hour'";
    sqlx::query(age).execute(&bank.db.pool).await.unwrap();
    // Tests beside this one set the same gauge, each when its worker starts and every few seconds.
    eventually("an hour", async || {
        let handler = bank.handler();
        let page = reqwest::get(format!("{}/metrics", bank.service)).await.ok()?.text().await.ok()?;
        let line = page.lines().find(|line| line.starts_with("wallet_webhooks_oldest_seconds{"))?;
        let seconds: f64 = line.rsplit(' ').next()?.parse().ok()?;
        handler.stopped().await;
        (line.contains("service=\"wallet\"") && (3_600.0..3_700.0).contains(&seconds)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_frozen_wallet_gets_its_money_on_the_suspense_account() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    sqlx::query("UPDATE accounts SET status = 'frozen' WHERE id = $1")
        .bind(account.wallet.uuid())
        .execute(&bank.db.pool)
        .await
        .unwrap();
    let _handler = bank.handler();
    let reference = bank.transfer_in(&account.number, "150.00", 2).await;
    assert_eq!(bank.settled(1).await, [ended("handled", "suspended")]);
    assert_eq!((bank.balance(account.wallet).await, bank.platform("suspense").await), (0, 15_000));
    assert_eq!(bank.platform("provider_settlement:providus").await, -15_000);
    let refusal: String = bank
        .one(
            "SELECT refusal FROM deposits WHERE wallet_id = $1 AND status = 'suspended'",
            account.wallet.uuid(),
        )
        .await;
    assert_eq!(refusal, "wallet_frozen");
    bank.deliver(funded(&reference, "150", &account.customer)).await;
    assert_eq!(bank.settled(2).await[1], ended("handled", "already_credited"));
    assert_eq!(bank.platform("suspense").await, 15_000);
}

#[tokio::test]
async fn a_deposit_that_not_even_the_suspense_account_takes_fails_at_once() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let freeze = "UPDATE accounts SET status = 'frozen' WHERE id = $1 OR code = 'suspense'";
    sqlx::query(freeze).bind(account.wallet.uuid()).execute(&bank.db.pool).await.unwrap();
    let _handler = bank.handler();
    bank.transfer_in(&account.number, "150.00", 1).await;
    assert_eq!(bank.settled(1).await, [ended("handled", "suspended")]);
    sqlx::query(freeze).bind(account.wallet.uuid()).execute(&bank.db.pool).await.unwrap();
    bank.transfer_in(&account.number, "1.00", 1).await;
    assert_eq!(bank.settled(2).await[1], ended("failed", "suspense_refused"));
    assert_eq!((deposits(&bank).await, bank.platform("suspense").await), (1, 15_000));
}

#[tokio::test]
async fn money_for_a_number_that_we_do_not_know_alarms_or_waits_for_it() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let forget = "UPDATE virtual_accounts SET account_number = '0000000000' WHERE wallet_id = $1";
    let remember = "UPDATE virtual_accounts SET account_number = $2 WHERE wallet_id = $1";
    sqlx::query(forget).bind(account.wallet.uuid()).execute(&bank.db.pool).await.unwrap();
    let handler = bank.handler();
    bank.transfer_in(&account.number, "1.00", 1).await;
    assert_eq!(bank.settled(1).await, [ended("failed", "unknown_account")]);
    handler.stopped().await;

    // The provider has issued it, and we are about to write it down.
    let _handler = bank.handler_with(Patience { doubtful: 1_000, unanswered: 1_000 });
    bank.transfer_in(&account.number, "2.00", 1).await;
    eventually("a failed attempt", async || bank.webhooks().await.get(1)?.1.clone()).await;
    let write = sqlx::query(remember).bind(account.wallet.uuid()).bind(&account.number);
    write.execute(&bank.db.pool).await.unwrap();
    credited(&bank, account.wallet, 200).await;
    // Somebody looked, and lets the first one be handled again, as PROVIDER_INTEGRATION.md says.
    let again =
        "UPDATE webhooks SET status = 'received', handled_at = NULL, attempts = 0, next_attempt_at = now()
                 WHERE id = (SELECT id FROM webhooks WHERE status = 'failed')";
    sqlx::query(again).execute(&bank.db.pool).await.unwrap();
    credited(&bank, account.wallet, 300).await;
}
