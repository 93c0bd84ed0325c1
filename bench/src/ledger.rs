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
    lists::ListCaller,
    load::{self, Caller, Measured},
    machine,
    meter::Meter,
    naive,
    options::Options,
    quiet, report,
    served::Served,
    table::{NOTHING, Table, each, milliseconds, percent, ratio, whole},
    yardstick::{self, Yardstick},
};

const WALLETS: usize = 10_000;
const TEMPLATE: &str = "bench_ledger";
const COPY: &str = "bench_ledger_run";
/// As a service's pool has.
pub(crate) const CONNECTIONS: u32 = 16;

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
    /// wallet-service over HTTP.
    Http,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    name: &'static str,
    way: Way,
    payees: Payees,
    callers: usize,
    /// Postings of one call.
    list: usize,
}

impl Load {
    /// Callers of the engine, who pay anybody.
    pub(crate) const fn engine(name: &'static str, callers: usize) -> Self {
        Self { name, way: Way::Engine, payees: Payees::Uniform, callers, list: 1 }
    }

    const fn naive(name: &'static str, callers: usize) -> Self {
        Self { way: Way::Naive, ..Self::engine(name, callers) }
    }

    const fn http(name: &'static str, callers: usize) -> Self {
        Self { way: Way::Http, ..Self::engine(name, callers) }
    }

    const fn hot(self) -> Self {
        Self { payees: Payees::Hot, ..self }
    }

    const fn in_lists_of(self, list: usize) -> Self {
        Self { list, ..self }
    }
}

const LOADS: [Load; 10] = [
    Load::naive("naive, 1 caller", 1),
    Load::naive("naive, 64 callers", 64),
    Load::naive("naive, 64 callers, hot", 64).hot(),
    Load::engine("ledger, 1 caller", 1),
    Load::engine("ledger, 64 callers", 64),
    Load::engine("ledger, 1,000 callers", 1_000),
    Load::engine("ledger, 64 callers, hot", 64).hot(),
    Load::engine("ledger, 1,000 callers, hot", 1_000).hot(),
    Load::engine("ledger, 4 callers, lists of 500", 4).in_lists_of(500),
    Load::http("over HTTP, 4 callers, lists of 500", 4).in_lists_of(500),
];

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let yardstick = yardstick::measure(options, &server, &meter).await?;
    let wallets: Arc<[WalletId]> =
        server.make_ledger(TEMPLATE, WALLETS).await?.iter().map(|wallet| wallet.id).collect();
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
    what: Load,
    wallets: &Arc<[WalletId]>,
) -> anyhow::Result<Measured> {
    server.copy(TEMPLATE, COPY).await?;
    let measured = load(options, server, COPY, meter, what, wallets).await?;
    let pool = server.pool(COPY, CONNECTIONS);
    database::verify(&pool, measured.total + WALLETS as u64).await?;
    pool.close().await;
    server.drop(COPY).await?;
    Ok(measured)
}

/// Runs the load on the ledger that is there.
pub(crate) async fn load(
    options: &Options,
    server: &Server,
    database: &str,
    meter: &Meter,
    what: Load,
    wallets: &Arc<[WalletId]>,
) -> anyhow::Result<Measured> {
    let (clock, timing) = (SystemClock::shared(), options.timing());
    let trips = Trips { wallets: Arc::clone(wallets), payees: what.payees };
    match what.way {
        Way::Engine => {
            let ledger = Arc::new(Ledger::start(server.pool(database, CONNECTIONS), clock));
            let caller =
                |_| EngineCaller { ledger: Arc::clone(&ledger), trips: trips.clone(), list: what.list };
            load::run((0..what.callers).map(caller).collect(), timing, meter).await
        }
        Way::Naive => {
            let pool = server.pool(database, what.callers.try_into()?);
            let caller =
                |_| NaiveCaller { pool: pool.clone(), clock: Arc::clone(&clock), trips: trips.clone() };
            load::run((0..what.callers).map(caller).collect(), timing, meter).await
        }
        Way::Http => {
            let service = Served::start(server, database).await?;
            let mut callers = Vec::new();
            for _ in 0..what.callers {
                callers.push(ListCaller::of(&service, trips.clone(), what.list).await?);
            }
            let measured = load::run(callers, timing, meter).await?;
            service.end().await?;
            Ok(measured)
        }
    }
}

/// Who pays whom.
#[derive(Debug, Clone)]
pub(crate) struct Trips {
    wallets: Arc<[WalletId]>,
    payees: Payees,
}

impl Trips {
    pub(crate) fn next(&self) -> (WalletId, WalletId, i64) {
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
        "CPU µs each: Postgres",
        "client",
        "WAL kB each",
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
        each(cost.postgres, yardstick.done),
        each(cost.client, yardstick.done),
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
            each(cost.postgres, done),
            each(cost.client, done),
            format!("{:.2}", cost.wal as f64 / done / 1_000.0),
            percent(cost.others_share()),
        ]);
    }
    format!("{machine}\n\n{table}")
}
