//! `bench ledger`: the posting engine in this process, beside the naive way and `pgbench`.
//!
//! Every load begins on a copy of the same ledger, and its books are verified at the end.

use std::sync::Arc;

use common_db::PgPool;
use common_utils::{
    clock::{SharedClock, SystemClock},
    ids::WalletId,
};
use rand::RngExt;
use wallet_service::ledger::{AccountRef, Ledger};

use crate::{
    database::{self, Server},
    load::{self, Caller, Measured},
    machine,
    meter::Meter,
    naive,
    options::Options,
    quiet, report,
    table::{NOTHING, Table, milliseconds, percent, ratio, whole},
    yardstick::{self, Yardstick},
};

const WALLETS: usize = 10_000;
const TEMPLATE: &str = "bench_ledger";
const COPY: &str = "bench_ledger_run";
/// As a service's pool has.
const CONNECTIONS: u32 = 16;

/// Who is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payees {
    /// Anybody.
    Uniform,
    /// The same merchant, by all.
    Hot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Engine,
    Naive,
}

#[derive(Debug, Clone, Copy)]
struct Load {
    name: &'static str,
    way: Way,
    payees: Payees,
    callers: usize,
    /// Postings of one call.
    list: usize,
}

const LOADS: [Load; 9] = [
    Load { name: "naive, 1 caller", way: Way::Naive, payees: Payees::Uniform, callers: 1, list: 1 },
    Load { name: "naive, 64 callers", way: Way::Naive, payees: Payees::Uniform, callers: 64, list: 1 },
    Load { name: "naive, 64 callers, hot", way: Way::Naive, payees: Payees::Hot, callers: 64, list: 1 },
    Load { name: "ledger, 1 caller", way: Way::Engine, payees: Payees::Uniform, callers: 1, list: 1 },
    Load { name: "ledger, 64 callers", way: Way::Engine, payees: Payees::Uniform, callers: 64, list: 1 },
    Load {
        name: "ledger, 1,000 callers",
        way: Way::Engine,
        payees: Payees::Uniform,
        callers: 1_000,
        list: 1,
    },
    Load { name: "ledger, 64 callers, hot", way: Way::Engine, payees: Payees::Hot, callers: 64, list: 1 },
    Load {
        name: "ledger, 1,000 callers, hot",
        way: Way::Engine,
        payees: Payees::Hot,
        callers: 1_000,
        list: 1,
    },
    Load {
        name: "ledger, 4 callers, lists of 500",
        way: Way::Engine,
        payees: Payees::Uniform,
        callers: 4,
        list: 500,
    },
];

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let yardstick = yardstick::measure(options, &server, &meter).await?;
    let wallets: Arc<[WalletId]> = server.make_ledger(TEMPLATE, WALLETS).await?.into();
    let mut measured = Vec::new();
    for load in LOADS.into_iter().filter(|load| options.wants(load.name)) {
        let result =
            quiet::measure(options, &meter, || one(options, &server, &meter, load, &wallets)).await?;
        println!("{}: {} a second, books exact", load.name, whole(result.rate()));
        measured.push((load, result));
    }
    server.drop(TEMPLATE).await?;
    report::publish(options, "ledger", &section(&machine, &yardstick, &measured))
}

async fn one(
    options: &Options,
    server: &Server,
    meter: &Meter,
    load: Load,
    wallets: &Arc<[WalletId]>,
) -> anyhow::Result<Measured> {
    server.copy(TEMPLATE, COPY).await?;
    let connections = if load.way == Way::Naive { load.callers.try_into()? } else { CONNECTIONS };
    let pool = server.pool(COPY, connections);
    let clock = SystemClock::shared();
    let trips = Trips { wallets: Arc::clone(wallets), payees: load.payees };
    let measured = match load.way {
        Way::Engine => {
            let ledger = Arc::new(Ledger::start(pool.clone(), clock));
            let caller =
                || EngineCaller { ledger: Arc::clone(&ledger), trips: trips.clone(), list: load.list };
            load::run((0..load.callers).map(|_| caller()).collect(), options.timing(), meter).await?
        }
        Way::Naive => {
            let caller =
                || NaiveCaller { pool: pool.clone(), clock: Arc::clone(&clock), trips: trips.clone() };
            load::run((0..load.callers).map(|_| caller()).collect(), options.timing(), meter).await?
        }
    };
    database::verify(&pool, measured.total + WALLETS as u64).await?;
    pool.close().await;
    server.drop(COPY).await?;
    Ok(measured)
}

/// Who pays whom.
#[derive(Debug, Clone)]
struct Trips {
    wallets: Arc<[WalletId]>,
    payees: Payees,
}

impl Trips {
    fn next(&self) -> (WalletId, WalletId, i64) {
        let mut rng = rand::rng();
        let from = rng.random_range(1..self.wallets.len());
        let to = match self.payees {
            Payees::Hot => 0,
            // Anybody but the payer.
            Payees::Uniform => (from + rng.random_range(1..self.wallets.len())) % self.wallets.len(),
        };
        (self.wallets[from], self.wallets[to], rng.random_range(1..=100))
    }
}

struct EngineCaller {
    ledger: Arc<Ledger>,
    trips: Trips,
    list: usize,
}

impl Caller for EngineCaller {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let postings = (0..self.list).map(|_| {
            let (from, to, amount) = self.trips.next();
            database::posting(AccountRef::Wallet(from), AccountRef::Wallet(to), amount)
        });
        let postings = postings.collect::<Result<_, _>>()?;
        database::post(&self.ledger, postings).await
    }
}

struct NaiveCaller {
    pool: PgPool,
    clock: SharedClock,
    trips: Trips,
}

impl Caller for NaiveCaller {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let (from, to, amount) = self.trips.next();
        naive::transfer(&self.pool, &self.clock, from, to, amount).await?;
        Ok(1)
    }
}

fn section(machine: &str, yardstick: &Yardstick, measured: &[(Load, Measured)]) -> String {
    let mut table = Table::new(&[
        "load",
        "postings/s",
        "p50 ms",
        "p99 ms",
        "× pgbench",
        "× naive",
        "CPU s a 1,000: Postgres",
        "client",
        "WAL kB a posting",
        "others' CPU",
    ]);
    let cost = &yardstick.cost;
    table.push(vec![
        "pgbench, 16 callers".to_owned(),
        whole(yardstick.rate),
        format!("{} (mean)", milliseconds(yardstick.average)),
        NOTHING.to_owned(),
        ratio(1.0),
        NOTHING.to_owned(),
        format!("{:.3}", cost.postgres.as_secs_f64() / yardstick.done * 1_000.0),
        format!("{:.3}", cost.client.as_secs_f64() / yardstick.done * 1_000.0),
        format!("{:.2}", cost.wal as f64 / yardstick.done / 1_000.0),
        percent(cost.others_share()),
    ]);
    for (load, result) in measured {
        let (done, cost) = (result.done as f64, &result.cost);
        // Of the naive ways, that with as many accounts in each other's way, and the most callers.
        let naive =
            measured.iter().rfind(|(other, _)| other.way == Way::Naive && other.payees == load.payees);
        table.push(vec![
            load.name.to_owned(),
            whole(result.rate()),
            milliseconds(result.latencies.p50()),
            milliseconds(result.latencies.p99()),
            ratio(result.rate() / yardstick.rate),
            naive.map_or(NOTHING.to_owned(), |(_, naive)| ratio(result.rate() / naive.rate())),
            format!("{:.3}", cost.postgres.as_secs_f64() / done * 1_000.0),
            format!("{:.3}", cost.client.as_secs_f64() / done * 1_000.0),
            format!("{:.2}", cost.wal as f64 / done / 1_000.0),
            percent(cost.others_share()),
        ]);
    }
    format!("{machine}\n\n{table}")
}
