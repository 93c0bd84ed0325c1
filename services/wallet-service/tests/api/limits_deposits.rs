//! Deposits above a limit: kept on the suspense account, and in their wallet once they fit.

use common_utils::telemetry::metrics;
use serde_json::json;
use uuid::Uuid;

use crate::{
    support::{command, equity, leg, of, posting},
    webhooks_bank::{Account, Bank, eventually, funded},
};

pub(crate) fn ended(result: &str) -> (String, Option<String>) {
    ("handled".to_owned(), Some(result.to_owned()))
}

/// Somebody in this tier.
pub(crate) async fn account(bank: &Bank, tier: i16) -> Account {
    let account = bank.account().await;
    bank.tell_tier(account.user, tier).await;
    account
}

/// Money that arrives and has been handled as the `count`-th; how that ended.
pub(crate) async fn arrives(
    bank: &Bank,
    account: &Account,
    amount: &str,
    count: usize,
) -> (String, Option<String>) {
    bank.transfer_in(&account.number, amount, 1).await;
    bank.settled(count).await[count - 1].clone()
}

/// Status and reason of all deposits, oldest first.
pub(crate) async fn deposits(bank: &Bank) -> Vec<(String, Option<String>)> {
    sqlx::query_as("SELECT status, refusal FROM deposits ORDER BY id").fetch_all(&bank.db.pool).await.unwrap()
}

pub(crate) fn parked(reason: &str) -> (String, Option<String>) {
    ("suspended".to_owned(), Some(reason.to_owned()))
}

pub(crate) fn released(reason: &str) -> (String, Option<String>) {
    ("released".to_owned(), Some(reason.to_owned()))
}

pub(crate) async fn exact(bank: &Bank) {
    let report = wallet_service::ledger::verify::verify(&bank.db.pool, None).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_deposit_above_the_single_one_of_the_tier_waits_and_is_not_lost() {
    let bank = Bank::open().await;
    let _handler = bank.handler();
    let mut count = 0;
    let mut total = 0;
    for (tier, most, more) in [(1, "50000.00", "50000.01"), (2, "100000.00", "100000.01")] {
        let account = account(&bank, tier).await;
        assert_eq!(arrives(&bank, &account, most, count + 1).await, ended("credited"), "tier {tier}");
        assert_eq!(arrives(&bank, &account, more, count + 2).await, ended("above_limit"), "tier {tier}");
        count += 2;
        total += i64::from(tier) * 5_000_000 + 1;
        assert_eq!(bank.balance(account.wallet).await, i64::from(tier) * 5_000_000);
        assert_eq!(bank.platform("suspense").await, total);
    }
    assert_eq!(deposits(&bank).await[1], parked("single_deposit_exceeded"));
    let told = bank.events("wallet.deposit.parked").await;
    assert_eq!(told.len(), 2);
    let (event, data) = (&told[0], &told[0]["data"]);
    let first: (Uuid, String) = sqlx::query_as("SELECT id, reference FROM deposits WHERE amount = 5000001")
        .fetch_one(&bank.db.pool)
        .await
        .unwrap();
    assert_eq!((&data["transactionId"], &data["providerReference"]), (&json!(first.0), &json!(first.1)));
    assert_eq!(data["amount"], json!({ "amount": 5_000_001, "currency": "NGN" }));
    assert_eq!(
        (&data["reason"], &event["actor"]),
        (&json!("single_deposit_exceeded"), &json!("provider:providus"))
    );
    let rich = account(&bank, 3).await;
    assert_eq!(arrives(&bank, &rich, "90000000.00", count + 1).await, ended("credited"));
    exact(&bank).await;
}

#[tokio::test]
async fn who_was_not_told_of_yet_is_in_the_lowest_tier() {
    let bank = Bank::open().await;
    let account = bank.account().await;
    let _handler = bank.handler();
    assert_eq!(arrives(&bank, &account, "50000.01", 1).await, ended("above_limit"));
    let reference: String =
        bank.one("SELECT reference FROM deposits WHERE wallet_id = $1", account.wallet.uuid()).await;
    bank.deliver(funded(&reference, "50000.010", &account.customer)).await;
    assert_eq!(bank.settled(2).await[1], ended("already_credited"));
    assert_eq!((bank.balance(account.wallet).await, bank.platform("suspense").await), (0, 5_000_001));
}

#[tokio::test]
async fn a_deposit_beyond_the_largest_balance_waits() {
    let bank = Bank::open().await;
    let account = account(&bank, 2).await;
    let _handler = bank.handler();
    for count in 1..=5 {
        assert_eq!(arrives(&bank, &account, "100000.00", count).await, ended("credited"));
    }
    assert_eq!(arrives(&bank, &account, "0.01", 6).await, ended("above_limit"));
    assert_eq!(deposits(&bank).await[5], parked("ceiling_exceeded"));
    assert_eq!((bank.balance(account.wallet).await, bank.platform("suspense").await), (50_000_000, 1));
    exact(&bank).await;
}

#[tokio::test]
async fn a_rise_releases_what_fits_exactly_once() {
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let _handler = bank.handler();
    for (number, amount) in ["60000.00", "70000.00", "150000.00", "50000.00"].into_iter().enumerate() {
        let expected = if amount == "50000.00" { "credited" } else { "above_limit" };
        assert_eq!(arrives(&bank, &account, amount, number + 1).await, ended(expected), "{amount}");
    }
    let _releasers = [bank.releaser(), bank.releaser(), bank.releaser()];
    bank.tell_tier(account.user, 2).await;
    let wallet = account.wallet;
    eventually("two deposits", async || (bank.balance(wallet).await == 18_000_000).then_some(())).await;
    let single = "single_deposit_exceeded";
    let credited = ("credited".to_owned(), None);
    assert_eq!(deposits(&bank).await, [released(single), released(single), parked(single), credited.clone()]);

    bank.tell_tier(account.user, 3).await;
    eventually("the third", async || (bank.balance(wallet).await == 33_000_000).then_some(())).await;
    assert_eq!(deposits(&bank).await, [released(single), released(single), released(single), credited]);
    // Nothing more comes of rises that are told again.
    for tier in [1, 3, 2, 3] {
        bank.tell_tier(account.user, tier).await;
    }
    bank.transfer_in(&account.number, "1.00", 1).await;
    bank.settled(5).await;
    assert_eq!((bank.balance(wallet).await, bank.platform("suspense").await), (33_000_100, 0));

    // Its owner reads each as the deposit that it is.
    let events = bank.events("wallet.credited").await;
    let told: Vec<_> = events.iter().map(|event| &event["data"]).collect();
    assert_eq!(told.len(), 5);
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT ended_by FROM deposits WHERE status = 'released' ORDER BY id")
            .fetch_all(&bank.db.pool)
            .await
            .unwrap();
    for id in ids {
        let of_release: Vec<_> = told.iter().filter(|data| data["transactionId"] == id.to_string()).collect();
        assert_eq!(of_release.len(), 1);
        assert_eq!(of_release[0]["transactionType"], "deposit");
        assert_eq!(of_release[0]["counterpartyName"], "Bola Example");
        assert!(of_release[0]["providerReference"].is_string());
    }
    exact(&bank).await;
}

#[tokio::test]
async fn what_does_not_fit_waits_until_money_has_gone_out() {
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let _handler = bank.handler();
    for count in 1..=6 {
        assert_eq!(arrives(&bank, &account, "50000.00", count).await, ended("credited"));
    }
    // Of what waits, a small one that fits is not kept back by a large one that does not.
    assert_eq!(arrives(&bank, &account, "40000.00", 7).await, ended("above_limit"));
    assert_eq!(arrives(&bank, &account, "10000.00", 8).await, ended("above_limit"));
    let spend = async |amount| {
        let paid = posting(vec![leg(of(account.wallet), equity(), amount)]);
        assert_eq!(bank.state.ledger.post(vec![paid]).await.unwrap()[0].outcome.name(), "posted");
        bank.state.limits_moved.notify_one();
    };
    let _releaser = bank.releaser();
    let ceiling = "ceiling_exceeded";
    spend(1_500_000).await;
    eventually("the small one", async || (deposits(&bank).await[7] == released(ceiling)).then_some(())).await;
    assert_eq!(deposits(&bank).await[6], parked(ceiling));
    spend(3_500_000).await;
    eventually("the large one", async || (deposits(&bank).await[6] == released(ceiling)).then_some(())).await;
    assert_eq!((bank.balance(account.wallet).await, bank.platform("suspense").await), (30_000_000, 0));
    exact(&bank).await;
}

#[tokio::test]
async fn what_a_frozen_wallet_did_not_take_is_left_to_people() {
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let status = "UPDATE accounts SET status = $2 WHERE id = $1";
    let set = async |to: &str| {
        sqlx::query(status).bind(account.wallet.uuid()).bind(to).execute(&bank.db.pool).await.unwrap();
    };
    let _handler = bank.handler();
    set("frozen").await;
    assert_eq!(arrives(&bank, &account, "10.00", 1).await, ended("suspended"));
    // Above a limit as well: said first, and it waits as long as the wallet is shut.
    assert_eq!(arrives(&bank, &account, "60000.00", 2).await, ended("above_limit"));
    let _releaser = bank.releaser();
    bank.tell_tier(account.user, 3).await;
    let other = self::account(&bank, 1).await;
    assert_eq!(arrives(&bank, &other, "60000.00", 3).await, ended("above_limit"));
    bank.tell_tier(other.user, 3).await;
    // The one behind it shows that the round has come by.
    eventually("the other's", async || (bank.balance(other.wallet).await == 6_000_000).then_some(())).await;
    assert_eq!(bank.balance(account.wallet).await, 0);
    set("active").await;
    bank.tell_tier(account.user, 3).await;
    eventually("what fits", async || (bank.balance(account.wallet).await == 6_000_000).then_some(())).await;
    assert_eq!(deposits(&bank).await[0], parked("wallet_frozen"));
    assert_eq!(bank.platform("suspense").await, 1_000);
}

#[tokio::test]
async fn operators_see_what_waits_why_and_for_how_long() {
    metrics::install().unwrap();
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let _handler = bank.handler();
    assert_eq!(arrives(&bank, &account, "50000.01", 1).await, ended("above_limit"));
    let old = "UPDATE deposits SET credited_at = now() - interval '2 days'";
    sqlx::query(old).execute(&bank.db.pool).await.unwrap();
    // Tests beside this one set the same gauges, each when its worker starts and every now and then.
    eventually("the gauges", async || {
        let releaser = bank.releaser();
        let page = reqwest::get(format!("{}/metrics", bank.service)).await.ok()?.text().await.ok()?;
        releaser.stopped().await;
        let value = |metric: &str, reason: &str| -> Option<f64> {
            let (name, label) = (format!("{metric}{{"), format!("reason=\"{reason}\""));
            let line = page.lines().find(|line| line.starts_with(&name) && line.contains(&label))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        let count = value("wallet_deposits_parked", "single_deposit_exceeded")?;
        let oldest = value("wallet_deposits_parked_oldest_seconds", "single_deposit_exceeded")?;
        for reason in ["ceiling_exceeded", "manual"] {
            value("wallet_deposits_parked", reason)?;
        }
        let counted = page.lines().any(|line| line.starts_with("wallet_deposits_released_total{"));
        let whole = (1.0..1.5).contains(&count) && (172_800.0..173_000.0).contains(&oldest);
        (whole && counted).then_some(())
    })
    .await;

    let (status, listed) = command(&bank.db.config, &["deposits", "parked"]).await;
    assert_eq!(status, Some(0), "{listed}");
    let wallet = account.wallet.to_string();
    for part in [wallet.as_str(), "5000001 NGN", "single_deposit_exceeded", "providus", "1 deposits wait"] {
        assert!(listed.contains(part), "{part} is missing in {listed}");
    }
    assert!(!listed.contains("Bola"), "{listed}");
}
