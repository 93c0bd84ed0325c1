//! The same random programs that the rules are tried with, on the real engine and a real Postgres, against the same model.

mod api {
    pub(super) use wallet_service::ledger::*;
}
#[path = "../../src/ledger/batch/tests/model.rs"]
mod model;
#[path = "../../src/ledger/batch/tests/program.rs"]
mod program;
#[path = "../../src/ledger/batch/tests/terms.rs"]
mod terms;
#[path = "../../src/ledger/batch/tests/translate.rs"]
mod translate;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{
    clock::Clock,
    ids::{UserId, WalletId},
};
use futures::future::join_all;
use model::{Model, Stage};
use program::{Turn, program};
use proptest::prelude::*;
use terms::{Account, Id, Order, Party, Status, Time, WALLETS, home, of_wallet};
use wallet_service::ledger::{
    AccountId, Bounded, PostingResult, balance_at, set_bounds_in_op, set_intake_ceilings_in_op,
    set_status_in_op,
};

use crate::support::World;

/// What was posted and held after a change, by the account and the time that it was noted at.
type Past = BTreeMap<(Account, DateTime<Utc>), (i64, i64)>;

struct Run {
    world: World,
    wallets: Vec<WalletId>,
    model: Model,
    now: Time,
    past: Past,
    /// The last moment of each account.
    last: BTreeMap<Account, DateTime<Utc>>,
}

impl Run {
    async fn new() -> Self {
        let world = World::without_limits().await;
        world.clock.advance(translate::at(0) - world.clock.now());
        let mut wallets = Vec::new();
        for number in 0..WALLETS {
            let currency = translate::currency(home(number).unwrap());
            wallets.push(world.wallet(UserId::new(), currency.code()).await);
        }
        // Who does not exist.
        wallets.push(WalletId::new());
        Self { world, wallets, model: Model::new(), now: 0, past: Past::new(), last: BTreeMap::new() }
    }

    async fn turn(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
        match turn {
            Turn::Batch(lists) => self.batch(lists).await?,
            Turn::Wait(by) => {
                self.now += by;
                self.world.clock.advance(TimeDelta::seconds(*by));
            }
            Turn::Sweep => {
                self.world.ledger().expire_overdue().await.unwrap();
                self.model.expire(self.now, None);
            }
            Turn::Status(number, status) => self.set_status(*number, *status).await,
            Turn::Bounds(number, floor, ceiling) => self.set_bounds(*number, *floor, *ceiling).await,
            Turn::Intake(number, ceiling) => self.set_intake(*number, *ceiling).await,
        }
        self.compare().await
    }

    async fn batch(&mut self, lists: &[Vec<Order>]) -> Result<(), TestCaseError> {
        let ledger = self.world.ledger();
        let wallet = |number: u8| self.wallets[usize::from(number)];
        let calls = lists
            .iter()
            .map(|list| ledger.post(list.iter().map(|order| translate::posting(order, &wallet)).collect()));
        let results: Vec<PostingResult> =
            join_all(calls).await.into_iter().flat_map(Result::unwrap).collect();
        let answers = lists.iter().flat_map(|list| self.model.list(self.now, list));
        for (result, answer) in results.iter().zip(answers.collect::<Vec<_>>()) {
            let refusal = result.outcome.refusal().map(|refusal| serde_json::to_value(refusal.code).unwrap());
            let refused = refusal.as_ref().and_then(|code| code.as_str());
            prop_assert_eq!((refused, result.replayed), (answer.refused, answer.again), "{:?}", result);
        }
        Ok(())
    }

    async fn set_status(&mut self, number: u8, status: Status) {
        let mut op = common_db::begin(&self.world.db.pool).await.unwrap();
        let account = self.wallets[usize::from(number)].into();
        set_status_in_op(&mut op, account, translate::status(status), self.world.clock.now()).await.unwrap();
        op.commit().await.unwrap();
        self.model.expire(self.now, Some(&BTreeSet::from([of_wallet(number)])));
        self.model.set_status(of_wallet(number), status);
    }

    async fn set_bounds(&mut self, number: u8, floor: i64, ceiling: Option<i64>) {
        let mut op = common_db::begin(&self.world.db.pool).await.unwrap();
        let account = self.wallets[usize::from(number)].into();
        match set_bounds_in_op(&mut op, account, floor, ceiling, self.world.clock.now()).await.unwrap() {
            Bounded::Outside => op.rollback().await.unwrap(),
            _ => op.commit().await.unwrap(),
        }
        self.model.set_bounds(self.now, of_wallet(number), floor, ceiling);
    }

    async fn set_intake(&mut self, number: u8, ceiling: Option<i64>) {
        let mut op = common_db::begin(&self.world.db.pool).await.unwrap();
        let account = self.wallets[usize::from(number)].into();
        set_intake_ceilings_in_op(&mut op, &[(account, ceiling)]).await.unwrap();
        op.commit().await.unwrap();
        self.model.set_intake(of_wallet(number), ceiling);
    }

    /// Balances and holds, with those of the model.
    ///
    /// Where the clock was set back, an account's last moment may have gone on in this turn before a later one came: what was noted
    /// of that moment before is then not how it ended.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let accounts = self.accounts().await;
        let now = self.world.clock.now();
        for (place, balance) in &self.model.balances {
            // The platform's accounts are opened when they are first used.
            let kept = accounts.get(place).map_or((0, 0), |(_, posted, held, _)| (*posted, *held));
            let expected = (balance.posted, self.model.held(*place));
            prop_assert_eq!((i128::from(kept.0), i128::from(kept.1)), expected, "{:?}", place);
            let Some((.., at)) = accounts.get(place) else { continue };
            self.past.insert((*place, *at), kept);
            if let Some(before) =
                self.last.insert(*place, *at).filter(|before| before != at && *before >= now)
            {
                self.past.remove(&(*place, before));
            }
        }
        let holds: Vec<(uuid::Uuid, String, i64)> = sqlx::query_as("SELECT id, status, captured FROM holds")
            .fetch_all(&self.world.db.pool)
            .await
            .unwrap();
        prop_assert_eq!(holds.len(), self.model.holds.len());
        for (id, status, captured) in holds {
            let hold = self.model.holds[&Id::try_from(id.as_u128() - 1).unwrap()];
            let stage = match hold.stage {
                Stage::Held => "held",
                Stage::Captured => "captured",
                Stage::Released => "released",
                Stage::Expired => "expired",
            };
            prop_assert_eq!((status.as_str(), i128::from(captured)), (stage, hold.captured), "hold {}", id);
        }
        Ok(())
    }

    async fn accounts(&self) -> BTreeMap<Account, (AccountId, i64, i64, DateTime<Utc>)> {
        type Row = (uuid::Uuid, Option<String>, String, i64, i64, DateTime<Utc>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT a.id, a.code, a.currency, b.posted, b.held, b.updated_at
             FROM accounts a JOIN balances b ON b.account_id = a.id",
        )
        .fetch_all(&self.world.db.pool)
        .await
        .unwrap();
        let number = |id: uuid::Uuid| self.wallets.iter().position(|wallet| wallet.uuid() == id).unwrap();
        let read = rows.into_iter().map(|(id, code, currency, posted, held, at)| {
            let party = match code.as_deref() {
                None => Party::Wallet(u8::try_from(number(id)).unwrap()),
                Some("equity") => Party::Equity,
                Some("fee") => Party::Fee,
                _ => Party::Position,
            };
            let coin = if currency == "NGN" { terms::Coin::Ngn } else { terms::Coin::Usd };
            ((party, coin), (id.into(), posted, held, at))
        });
        read.collect()
    }
}

async fn compare(turns: &[Turn]) -> Result<(), TestCaseError> {
    let mut run = Run::new().await;
    for turn in turns {
        run.turn(turn).await?;
    }
    let accounts = run.accounts().await;
    for ((place, at), expected) in &run.past {
        let past = balance_at(&run.world.db.pool, accounts[place].0, *at).await.unwrap();
        prop_assert_eq!((past.posted, past.held), *expected, "{:?} at {}", place, at);
    }
    run.world.verify().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn postgres_answers_as_the_model_does(turns in program()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(&turns))?;
    }
}
