//! `ledger verify` on what hangs together: holds and their captures, postings and what took them back, balances and
//! their bounds.

use chrono::TimeDelta;
use common_utils::{
    clock::Clock,
    ids::{self, TransactionId, WalletId},
};
use wallet_service::ledger::{
    Posting,
    verify::{Check, Report, verify},
};

use crate::{
    ledger_orders::{capture, capture_last, hold, refund, release, reverse},
    support::{World, equity, of, transfer},
};

/// A ledger in which everything has happened, without what protects its rows.
struct Ledger {
    world: World,
    ada: WalletId,
    bola: WalletId,
    /// Of Ada, 100, of which 30 are captured.
    open: TransactionId,
    /// Of Ada, 100, of which 60 were captured and the rest was released with them.
    captured: TransactionId,
    released: TransactionId,
    /// From Ada to Bola, 50, of which 20 went back.
    refunded: TransactionId,
    /// From Ada to Bola, 40.
    reversed: TransactionId,
}

impl Ledger {
    async fn open() -> Self {
        let world = World::open().await;
        let (_, ada) = world.person_with(1_000).await;
        let (_, bola) = world.person_with(500).await;
        let later = world.clock.now() + TimeDelta::hours(1);
        let [open, captured, released, overdue] =
            [100, 100, 70, 5].map(|amount| hold(ada, amount, later + TimeDelta::seconds(amount)));
        let [refunded, reversed] = [50, 40].map(|amount| transfer(ada, bola, amount));
        let (open_id, captured_id, released_id) = (open.id(), captured.id(), released.id());
        let (refunded_id, reversed_id) = (refunded.id(), reversed.id());
        let first = vec![open, captured, released, overdue, refunded, reversed];
        let second = vec![
            capture(open_id, of(bola), 30),
            capture_last(captured_id, equity(), 60),
            release(released_id),
            refund(refunded_id, of(bola), 20),
            reverse(reversed_id),
        ];
        for list in [first, second] {
            posted(&world, list).await;
        }
        // Nobody has come by since it ended.
        world.clock.advance(TimeDelta::seconds(3_606));
        world.verify().await;
        sqlx::raw_sql(
            "DROP TRIGGER entries_append_only ON entries; DROP TRIGGER postings_append_only ON postings;
             DROP TRIGGER holds_final ON holds; DROP TRIGGER holds_kept ON holds;
             DROP INDEX postings_reversed_key;
             ALTER TABLE postings DROP CONSTRAINT postings_hold_fkey;
             ALTER TABLE balances DROP CONSTRAINT balances_rules_fkey,
                 DROP CONSTRAINT balances_available_above_floor, DROP CONSTRAINT balances_posted_below_ceiling,
                 DROP CONSTRAINT balances_closed_empty",
        )
        .execute(&world.db.pool)
        .await
        .unwrap();
        Self {
            world,
            ada,
            bola,
            open: open_id,
            captured: captured_id,
            released: released_id,
            refunded: refunded_id,
            reversed: reversed_id,
        }
    }

    async fn report(&self, account: Option<WalletId>) -> Report {
        verify(&self.world.db.pool, account.map(Into::into)).await.unwrap()
    }

    /// After the statement, the first difference of each check that fails: for all accounts, then for Ada's.
    async fn after(&self, statement: &str) -> [Vec<(Check, String)>; 2] {
        let mut op = self.world.db.pool.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *op).await.expect(statement);
        op.commit().await.unwrap();
        [self.report(None).await, self.report(Some(self.ada)).await].map(|report| {
            let first = |check: Check| {
                let found = report.differences.iter().find(|difference| difference.check == check)?;
                Some((check, found.to_string()))
            };
            Check::ALL.into_iter().filter_map(first).collect()
        })
    }
}

async fn posted(world: &World, list: Vec<Posting>) {
    let results = world.ledger().post(list).await.unwrap();
    assert!(results.iter().all(|result| result.outcome.refusal().is_none()), "{results:?}");
}

fn one(check: Check, subject: impl std::fmt::Display, detail: &str) -> Vec<(Check, String)> {
    vec![(check, format!("{subject}: {detail}"))]
}

#[tokio::test]
async fn an_overdue_hold_that_nobody_ended_is_no_difference() {
    let ledger = Ledger::open().await;
    let report = ledger.report(None).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counted.holds, report.counted.postings), (4, 13), "{report}");
    for wallet in [ledger.ada, ledger.bola] {
        assert!(ledger.report(Some(wallet)).await.is_clean());
    }
    assert_eq!(ledger.report(Some(ledger.ada)).await.counted.holds, 4);
    assert_eq!(ledger.world.ledger().expire_overdue().await.unwrap(), 1);
    ledger.world.verify().await;
}

#[tokio::test]
async fn a_hold_that_captured_more_or_less_than_its_captures_took_is_found() {
    let ledger = Ledger::open().await;
    let hold = format!("hold {}", ledger.captured);
    let [all, own] =
        ledger.after(&format!("UPDATE holds SET captured = 61 WHERE id = '{}'", ledger.captured)).await;
    assert_eq!(all, one(Check::Captures, &hold, "61 captured, but its captures took 60"));
    assert_eq!(own, all);
    assert!(ledger.report(Some(ledger.bola)).await.is_clean());
    // The capture of an open hold counts into what is held, too.
    let ledger = Ledger::open().await;
    let [all, own] =
        ledger.after(&format!("UPDATE holds SET captured = 29 WHERE id = '{}'", ledger.open)).await;
    assert_eq!(all[0], (Check::Holds, format!("account {}: 75 held, but open holds sum to 76", ledger.ada)));
    assert_eq!(all[1].1, format!("hold {}: 29 captured, but its captures took 30", ledger.open));
    assert_eq!((all.len(), &own), (2, &all));
}

#[tokio::test]
async fn holds_and_releases_that_do_not_belong_together_are_found() {
    let ledger = Ledger::open().await;
    let statement = format!("UPDATE holds SET status = 'expired' WHERE id = '{}'", ledger.released);
    let [all, own] = ledger.after(&statement).await;
    assert_eq!(all, one(Check::Captures, format!("hold {}", ledger.released), "is expired after 1 releases"));
    assert_eq!(own, all);

    let ledger = Ledger::open().await;
    let [all, own] =
        ledger.after(&format!("UPDATE postings SET hold_id = NULL WHERE hold_id = '{}'", ledger.open)).await;
    assert_eq!(
        all,
        one(Check::Captures, format!("hold {}", ledger.open), "30 captured, but its captures took 0")
    );
    assert_eq!(own, all);

    let ledger = Ledger::open().await;
    let [all, own] =
        ledger.after(&format!("UPDATE postings SET type = 'fee' WHERE id = '{}'", ledger.open)).await;
    let placed = (Check::Captures, format!("hold {}: no posting has placed it", ledger.open));
    let empty = (Check::Outcomes, format!("posting {}: is a posted fee and has 0 entries", ledger.open));
    assert_eq!(all, [placed, empty]);
    assert_eq!(own, all);

    let ledger = Ledger::open().await;
    let statement = format!(
        "UPDATE balances SET held = 5 WHERE account_id = '{}';
         DELETE FROM holds WHERE id = '{}'",
        ledger.ada, ledger.open
    );
    let [all, own] = ledger.after(&statement).await;
    let gone = format!("posting {}: placed a hold that is not there", ledger.open);
    assert_eq!(all, [(Check::Captures, gone)]);
    // Nothing of the account leads to it any more.
    assert_eq!(own, []);
}

#[tokio::test]
async fn what_was_noted_of_a_return_is_compared_with_what_went_back() {
    for (column, by, detail) in [
        ("returned", 1, "50 taken and 21 returned are noted, but it took 50 and got 20 back"),
        ("taken", 1, "51 taken and 20 returned are noted, but it took 50 and got 20 back"),
        ("returned", -20, "50 taken and 0 returned are noted, but it took 50 and got 20 back"),
    ] {
        let ledger = Ledger::open().await;
        let statement = format!(
            "UPDATE posting_returns SET {column} = {column} + {by} WHERE posting_id = '{}'",
            ledger.refunded
        );
        let [all, own] = ledger.after(&statement).await;
        let subject = format!("posting {}, account {}", ledger.refunded, ledger.ada);
        assert_eq!(all, one(Check::Returns, subject, detail));
        assert_eq!(own, all);
    }
    let ledger = Ledger::open().await;
    let statement = format!("DELETE FROM posting_returns WHERE posting_id = '{}'", ledger.reversed);
    let [all, own] = ledger.after(&statement).await;
    let subject = format!("posting {}, account {}", ledger.reversed, ledger.ada);
    let detail = "0 taken and 0 returned are noted, but it took 40 and got 40 back";
    assert_eq!(all, one(Check::Returns, subject, detail));
    assert_eq!(own, all);
}

#[tokio::test]
async fn a_second_reversal_is_found() {
    let ledger = Ledger::open().await;
    let statement = format!(
        "UPDATE postings SET type = 'reversal' WHERE takes_back = '{0}'; UPDATE postings SET takes_back = '{0}'
         WHERE type = 'reversal'; UPDATE posting_returns SET returned = 60, taken = 60 WHERE posting_id = '{0}';
         DELETE FROM posting_returns WHERE posting_id = '{1}'",
        ledger.refunded, ledger.reversed
    );
    let [all, own] = ledger.after(&statement).await;
    let differences: Vec<String> =
        ledger.report(None).await.differences.iter().map(ToString::to_string).collect();
    let twice = format!("posting {}: is reversed by 2 of the 2 postings that take it back", ledger.refunded);
    assert!(differences.contains(&twice), "{differences:?}");
    assert_eq!((all.len(), all[0].0, &own), (1, Check::Returns, &all));
}

#[tokio::test]
async fn postings_have_the_entries_that_their_type_and_outcome_ask_for() {
    // A hold with an entry.
    let ledger = Ledger::open().await;
    let statement = format!(
        "UPDATE entries SET posting_id = '{}' WHERE account_id = '{}' AND sequence = 1",
        ledger.open, ledger.ada
    );
    let [all, own] = ledger.after(&statement).await;
    let checks = |found: &[(Check, String)]| found.iter().map(|(check, _)| *check).collect::<Vec<_>>();
    assert_eq!(checks(&all), [Check::Outcomes, Check::Postings]);
    assert_eq!(all[0].1, format!("posting {}: is a posted hold and has 1 entries", ledger.open));
    assert_eq!(checks(&own), checks(&all));

    // A capture without entries.
    let ledger = Ledger::open().await;
    let posting = format!("(SELECT id FROM postings WHERE hold_id = '{}')", ledger.captured);
    let [all, own] = ledger.after(&format!("DELETE FROM entries WHERE posting_id = {posting}")).await;
    assert!(checks(&all).contains(&Check::Outcomes) && checks(&all).contains(&Check::Captures), "{all:?}");
    assert!(checks(&own).contains(&Check::Outcomes) && checks(&own).contains(&Check::Captures), "{own:?}");

    // An entry without its posting.
    let ledger = Ledger::open().await;
    let nowhere = ids::new_id();
    let statement =
        format!("UPDATE entries SET posting_id = '{nowhere}' WHERE posting_id = '{}'", ledger.refunded);
    let [all, own] = ledger.after(&statement).await;
    let lost = format!("is of posting {nowhere}, which is not there");
    for found in [&all, &own] {
        assert!(
            found.iter().any(|(check, told)| *check == Check::Outcomes && told.ends_with(&lost)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_balance_outside_of_its_bounds_or_unlike_its_account_is_found() {
    for (set, detail) in [
        ("floor = 806", "880 posted and 75 held, below its floor of 806"),
        ("ceiling = 879", "880 posted, above its ceiling of 879"),
        ("status = 'frozen'", "NGN active may overdraw f, and its balance says NGN frozen f"),
        ("may_overdraw = true", "NGN active may overdraw f, and its balance says NGN active t"),
        ("currency = 'USD'", "NGN active may overdraw f, and its balance says USD active f"),
    ] {
        let ledger = Ledger::open().await;
        let statement = format!("UPDATE balances SET {set} WHERE account_id = '{}'", ledger.ada);
        let [all, own] = ledger.after(&statement).await;
        let found = (Check::Bounds, format!("account {}: {detail}", ledger.ada));
        assert!(all.contains(&found), "{all:?}");
        assert_eq!(own, [found]);
    }
    let ledger = Ledger::open().await;
    let statement = format!(
        "UPDATE accounts SET status = 'closed' WHERE id = '{0}';
         UPDATE balances SET status = 'closed' WHERE account_id = '{0}'",
        ledger.ada
    );
    let [all, own] = ledger.after(&statement).await;
    assert_eq!(
        all,
        one(Check::Bounds, format!("account {}", ledger.ada), "closed with 880 posted and 75 held")
    );
    assert_eq!(own, all);
}
