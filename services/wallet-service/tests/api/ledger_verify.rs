//! `ledger verify` finds what is planted, whatever it is, and nothing else.

use common_utils::ids::WalletId;
use wallet_service::ledger::verify::{Check, Report, verify};

use crate::support::{World, command, transfer};

struct Damaged {
    world: World,
    ada: WalletId,
    bola: WalletId,
}

/// A small ledger without the triggers that protect it.
async fn unprotected() -> Damaged {
    let world = World::open().await;
    let (_, ada) = world.person_with(1_000).await;
    let (_, bola) = world.person_with(500).await;
    for amount in [10, 20, 30] {
        world.post_one(transfer(ada, bola, amount)).await;
    }
    world.post_one(transfer(ada, bola, 100_000)).await;
    world.verify().await;
    sqlx::raw_sql(
        "DROP TRIGGER entries_append_only ON entries; DROP TRIGGER postings_append_only ON postings;
         ALTER TABLE entries DROP CONSTRAINT entries_pkey",
    )
    .execute(&world.db.pool)
    .await
    .unwrap();
    Damaged { world, ada, bola }
}

impl Damaged {
    /// Which checks fail after this.
    async fn after(&self, statement: String) -> Vec<Check> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
            .execute(&self.world.db.pool)
            .await
            .expect(&statement);
        let report = self.report(None).await;
        assert!(report.to_string().contains("NOT exact"), "{report}");
        failed(&report)
    }

    async fn report(&self, account: Option<WalletId>) -> Report {
        verify(&self.world.db.pool, account.map(Into::into)).await.unwrap()
    }
}

fn failed(report: &Report) -> Vec<Check> {
    let found = |check: &Check| report.differences.iter().any(|difference| difference.check == *check);
    Check::ALL.into_iter().filter(found).collect()
}

#[tokio::test]
async fn a_clean_ledger_says_what_was_looked_at() {
    let world = World::open().await;
    let (_, ada) = world.person_with(10).await;
    let report = verify(&world.db.pool, None).await.unwrap();
    assert_eq!((report.counted.accounts, report.counted.postings, report.counted.entries), (2, 1, 2));
    assert!(report.to_string().ends_with("the ledger is exact"), "{report}");
    let report = verify(&world.db.pool, Some(ada.into())).await.unwrap();
    assert_eq!((report.counted.accounts, report.counted.postings, report.counted.entries), (1, 1, 1));
    assert!(report.is_clean());
}

#[tokio::test]
async fn a_balance_that_is_not_the_sum_of_its_entries_is_found() {
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let found =
        damaged.after(format!("UPDATE balances SET posted = posted + 1 WHERE account_id = '{ada}'")).await;
    assert_eq!(found, [Check::Balances, Check::Currencies]);
    // It is told of the account that it is about, and of no other.
    assert_eq!(failed(&damaged.report(Some(damaged.ada)).await), [Check::Balances]);
    assert!(damaged.report(Some(damaged.bola)).await.is_clean());
    let report = damaged.report(None).await;
    assert!(report.differences[0].subject.contains(&ada.to_string()), "{report}");
    assert!(report.differences[0].detail.contains("balance 941 after 4 entries"), "{report}");
}

#[tokio::test]
async fn an_entry_that_was_changed_is_found() {
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let statement =
        format!("UPDATE entries SET amount = amount + 1 WHERE account_id = '{ada}' AND sequence = 2");
    assert_eq!(damaged.after(statement).await, [Check::Balances, Check::Chain, Check::Postings]);
}

#[tokio::test]
async fn an_entry_that_is_gone_is_found() {
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let statement = format!("DELETE FROM entries WHERE account_id = '{ada}' AND sequence = 2");
    assert_eq!(damaged.after(statement).await, [Check::Balances, Check::Chain, Check::Postings]);
}

#[tokio::test]
async fn a_doubled_number_and_a_wrong_balance_after_are_found() {
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let statement = format!("UPDATE entries SET sequence = 3 WHERE account_id = '{ada}' AND sequence = 2");
    assert!(damaged.after(statement).await.contains(&Check::Chain));
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let statement =
        format!("UPDATE entries SET balance_after = 0 WHERE account_id = '{ada}' AND sequence = 4");
    assert_eq!(damaged.after(statement).await, [Check::Chain]);
}

#[tokio::test]
async fn a_time_that_goes_back_is_found() {
    let damaged = unprotected().await;
    let bola = damaged.bola;
    let statement = format!(
        "UPDATE entries SET posted_at = posted_at - interval '1 day' WHERE account_id = '{bola}' AND sequence = 2"
    );
    assert_eq!(damaged.after(statement).await, [Check::Times]);
}

#[tokio::test]
async fn held_money_without_a_hold_is_found() {
    let damaged = unprotected().await;
    let ada = damaged.ada;
    let statement = format!("UPDATE balances SET held = 5 WHERE account_id = '{ada}'");
    assert_eq!(damaged.after(statement).await, [Check::Holds]);
}

#[tokio::test]
async fn an_outcome_that_was_changed_is_found() {
    let damaged = unprotected().await;
    let statement = "UPDATE postings SET outcome = 'posted', refusal = NULL WHERE outcome = 'refused'";
    assert_eq!(damaged.after(statement.to_owned()).await, [Check::Outcomes]);
    let damaged = unprotected().await;
    let statement = "UPDATE postings SET outcome = 'refused', refusal = '{}' WHERE outcome = 'posted'";
    assert_eq!(damaged.after(statement.to_owned()).await, [Check::Outcomes]);
    assert_eq!(failed(&damaged.report(Some(damaged.ada)).await), [Check::Outcomes]);
}

#[tokio::test]
async fn an_account_without_a_balance_is_found() {
    let damaged = unprotected().await;
    let bola = damaged.bola;
    let found = damaged.after(format!("DELETE FROM balances WHERE account_id = '{bola}'")).await;
    assert_eq!(found, [Check::Balances, Check::Currencies]);
}

/// The command, as an operator runs it.
#[tokio::test]
async fn the_command_ends_with_what_it_found() {
    let damaged = unprotected().await;
    let run = async |arguments: &[&str]| {
        let arguments: Vec<&str> = ["ledger", "verify"].iter().chain(arguments).copied().collect();
        command(&damaged.world.db.config, &arguments).await
    };
    let (status, text) = run(&[]).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("3 accounts, 6 postings, 10 entries"), "{text}");
    sqlx::raw_sql("UPDATE balances SET posted = posted + 1").execute(&damaged.world.db.pool).await.unwrap();
    let (status, text) = run(&[]).await;
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("WRONG  each currency sums to zero"), "{text}");
    let nobody = WalletId::new().to_string();
    assert_eq!(run(&["--account", &nobody]).await.0, Some(1));
}
