//! What people decide about deposits that wait, by command, and that no release passes it by.

use uuid::Uuid;

use crate::{
    limits_deposits::{account, arrives, deposits, ended, exact, parked, released},
    support::command,
    webhooks_bank::{Account, Bank, eventually},
};

const SINGLE: &str = "single_deposit_exceeded";

/// The one deposit to this person.
async fn deposit_of(bank: &Bank, account: &Account) -> Uuid {
    bank.one("SELECT id FROM deposits WHERE wallet_id = $1", account.wallet.uuid()).await
}

/// An order about a deposit, by command: its exit status, and what it said.
async fn ordered(bank: &Bank, order: &str, deposit: Uuid, more: &[&str]) -> (Option<i32>, String) {
    let deposit = deposit.to_string();
    command(&bank.db.config, &[&["deposits", order, &deposit], more].concat()).await
}

async fn returned_as(bank: &Bank, deposit: Uuid, reference: &str) -> (Option<i32>, String) {
    ordered(bank, "return", deposit, &["--bank-reference", reference]).await
}

fn said(answer: &(Option<i32>, String), what: &str) -> bool {
    answer.0 == Some(0) && answer.1.contains(what)
}

async fn set_status(bank: &Bank, account: &Account, to: &str) {
    let set =
        sqlx::query("UPDATE accounts SET status = $2 WHERE id = $1").bind(account.wallet.uuid()).bind(to);
    set.execute(&bank.db.pool).await.unwrap();
}

async fn somebody_waits_for_a_lock(bank: &Bank) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
    )
    .fetch_one(&bank.db.pool)
    .await
    .unwrap()
}

/// All four are found in one look. The releaser stands at the first, so it comes to the others with what it saw before.
#[tokio::test]
async fn what_changed_while_the_releaser_was_busy_is_seen_when_it_comes_by() {
    let bank = Bank::open().await;
    let _handler = bank.handler();
    let mut accounts = Vec::new();
    for count in 1..=4 {
        let account = account(&bank, 1).await;
        assert_eq!(arrives(&bank, &account, "60000.00", count).await, ended("above_limit"));
        accounts.push(account);
    }
    let [first, taken, lapsed, last] = &accounts[..] else { panic!("four") };
    for account in &accounts {
        bank.tell_tier(account.user, 3).await;
    }
    let mut holder = common_db::begin(&bank.db.pool).await.unwrap();
    sqlx::query("SELECT FROM balances WHERE account_id = $1 FOR UPDATE")
        .bind(first.wallet.uuid())
        .execute(&mut *holder)
        .await
        .unwrap();
    let _releaser = bank.releaser();
    eventually("the releaser", async || somebody_waits_for_a_lock(&bank).await.then_some(())).await;
    sqlx::query("UPDATE deposits SET refusal = 'wallet_frozen' WHERE wallet_id = $1")
        .bind(taken.wallet.uuid())
        .execute(&bank.db.pool)
        .await
        .unwrap();
    bank.tell_tier(lapsed.user, 1).await;
    holder.commit().await.unwrap();

    eventually("the last", async || (bank.balance(last.wallet).await == 6_000_000).then_some(())).await;
    assert_eq!(bank.balance(first.wallet).await, 6_000_000);
    assert_eq!((bank.balance(taken.wallet).await, bank.balance(lapsed.wallet).await), (0, 0));
    assert_eq!(
        deposits(&bank).await,
        [released(SINGLE), parked("wallet_frozen"), parked(SINGLE), released(SINGLE)]
    );
    exact(&bank).await;
}

#[tokio::test]
async fn what_came_while_a_wallet_was_frozen_is_released_by_order_once() {
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let _handler = bank.handler();
    set_status(&bank, &account, "frozen").await;
    assert_eq!(arrives(&bank, &account, "10.00", 1).await, ended("suspended"));
    let deposit = deposit_of(&bank, &account).await;
    assert_eq!(ordered(&bank, "release", deposit, &[]).await.0, Some(1));
    assert_eq!(deposits(&bank).await, [parked("wallet_frozen")]);

    set_status(&bank, &account, "active").await;
    let orders = [ordered(&bank, "release", deposit, &[]), ordered(&bank, "release", deposit, &[])];
    let answers = futures::future::join_all(orders).await;
    assert_eq!(answers.iter().filter(|answer| said(answer, "is released")).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| said(answer, "was released before")).count(), 1, "{answers:?}");
    assert_eq!((bank.balance(account.wallet).await, bank.platform("suspense").await), (1_000, 0));
    assert_eq!(deposits(&bank).await, [released("wallet_frozen")]);
    assert_eq!(bank.events("wallet.credited").await.len(), 1);

    // It is in the wallet, so it does not go back.
    assert_eq!(returned_as(&bank, deposit, "B1").await.0, Some(1));
    assert_eq!(deposits(&bank).await, [released("wallet_frozen")]);
    exact(&bank).await;
}

#[tokio::test]
async fn an_order_releases_nothing_that_is_above_a_limit() {
    let bank = Bank::open().await;
    let account = account(&bank, 1).await;
    let _handler = bank.handler();
    assert_eq!(arrives(&bank, &account, "60000.00", 1).await, ended("above_limit"));
    let deposit = deposit_of(&bank, &account).await;
    assert_eq!(ordered(&bank, "release", deposit, &[]).await.0, Some(1));
    assert_eq!((bank.balance(account.wallet).await, deposits(&bank).await), (0, vec![parked(SINGLE)]));
    bank.tell_tier(account.user, 2).await;
    let answer = ordered(&bank, "release", deposit, &[]).await;
    assert!(said(&answer, "is released"), "{answer:?}");
    assert_eq!(bank.balance(account.wallet).await, 6_000_000);
    for unknown in [account.wallet.uuid(), Uuid::nil()] {
        assert_eq!(ordered(&bank, "release", unknown, &[]).await.0, Some(1));
    }
}

#[tokio::test]
async fn what_goes_back_to_its_bank_leaves_the_books_once_and_is_released_no_more() {
    let bank = Bank::open().await;
    let (returned, other) = (account(&bank, 1).await, account(&bank, 1).await);
    let _handler = bank.handler();
    assert_eq!(arrives(&bank, &returned, "60000.00", 1).await, ended("above_limit"));
    let deposit = deposit_of(&bank, &returned).await;
    assert_eq!(returned_as(&bank, deposit, "two words").await.0, Some(2));
    for what in ["is returned", "was returned before"] {
        let answer = returned_as(&bank, deposit, "NIP/1").await;
        assert!(said(&answer, what), "{answer:?}");
    }
    // Under another reference the bank would send it a second time.
    assert_eq!(returned_as(&bank, deposit, "NIP/2").await.0, Some(1));
    assert_eq!(ordered(&bank, "release", deposit, &[]).await.0, Some(1));
    assert_eq!(
        (bank.platform("suspense").await, bank.platform("provider_settlement:providus").await),
        (0, 0)
    );
    let reference: String = bank.one("SELECT bank_reference FROM deposits WHERE id = $1", deposit).await;
    assert_eq!(reference, "NIP/1");
    let (_, listed) = command(&bank.db.config, &["deposits", "parked"]).await;
    assert_eq!(listed.trim(), "0 deposits wait");

    let _releaser = bank.releaser();
    bank.tell_tier(returned.user, 3).await;
    assert_eq!(arrives(&bank, &other, "60000.00", 2).await, ended("above_limit"));
    bank.tell_tier(other.user, 3).await;
    eventually("the other's", async || (bank.balance(other.wallet).await == 6_000_000).then_some(())).await;
    assert_eq!(bank.balance(returned.wallet).await, 0);
    let at_bank = ("returned".to_owned(), Some(SINGLE.to_owned()));
    assert_eq!(deposits(&bank).await, [at_bank, released(SINGLE)]);
    exact(&bank).await;
}
