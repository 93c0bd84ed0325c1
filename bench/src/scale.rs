//! `bench scale`: does it get slower when there is more? The same posting load and the same reads on ledgers of growing
//! size, as ratios to the smallest; and on the largest, whether monthly partitions would help.

use std::time::Duration;

use crate::{
    database::{self, Server},
    history::{self, History, Size},
    ledger::{self, Load},
    load::Measured,
    machine,
    meter::Meter,
    options::Options,
    partitions,
    reads::{Read, Readers},
    report,
    table::{Table, each, milliseconds, percent, ratio, whole},
};

const DATABASE: &str = "bench_scale";

const LADDER: [Size; 4] = [
    Size { accounts: 1_000, entries: 10_000 },
    Size { accounts: 1_000, entries: 1_000_000 },
    Size { accounts: 1_000, entries: 10_000_000 },
    Size { accounts: 1_000_000, entries: 10_000_000 },
];
const QUICK_LADDER: [Size; 3] = [
    Size { accounts: 1_000, entries: 10_000 },
    Size { accounts: 1_000, entries: 100_000 },
    Size { accounts: 20_000, entries: 100_000 },
];

/// What was measured on one ledger.
struct Rung {
    size: Size,
    posting: Measured,
    reads: Vec<(Read, Measured)>,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let ladder: &[Size] = if options.quick { &QUICK_LADDER } else { &LADDER };
    let (mut rungs, mut aside) = (Vec::new(), None);
    for size in ladder {
        println!("{} entries of {} accounts", whole(size.entries as f64), whole(size.accounts as f64));
        let history = history::fill(&server, DATABASE, *size).await?;
        rungs.push(rung(options, &server, &meter, history).await?);
        if rungs.len() == ladder.len() {
            aside = Some(partitions::compare(options, &server, &meter, DATABASE, history).await?);
        }
        server.drop(DATABASE).await?;
    }
    let mut parts = vec![machine, postings(&rungs).to_string(), reads(&rungs).to_string()];
    parts.push(ABOUT.to_owned());
    parts.extend(aside);
    report::publish(options, "scale", &parts.join("\n\n"))
}

const ABOUT: &str = "Postings: 64 callers of the engine. Reads: one caller, over HTTP. In parentheses: of the smallest. \
                     Every ledger is verified after its postings.";

async fn rung(options: &Options, server: &Server, meter: &Meter, history: History) -> anyhow::Result<Rung> {
    let service = Readers::start(server, DATABASE, history).await?;
    let mut reads = Vec::new();
    for read in Read::ALL {
        reads.push((read, service.measure(options, meter, read, false, 1).await?));
    }
    service.end().await?;
    let load = Load::engine("ledger, 64 callers", 64);
    let posting = ledger::load(options, server, DATABASE, meter, load, &history.wallets()).await?;
    let pool = server.pool(DATABASE, ledger::CONNECTIONS);
    database::verify(&pool, posting.total + history.postings()).await?;
    println!("{} postings a second, books exact", whole(posting.rate()));
    pool.close().await;
    Ok(Rung { size: history.size, posting, reads })
}

fn head(rungs: &[Rung]) -> Vec<String> {
    let named = |rung: &Rung| {
        format!("{} entries, {} accounts", whole(rung.size.entries as f64), whole(rung.size.accounts as f64))
    };
    std::iter::once(String::new()).chain(rungs.iter().map(named)).collect()
}

fn postings(rungs: &[Rung]) -> Table {
    let head = head(rungs);
    let mut table = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    let row = |name: &str, shown: &dyn Fn(&Measured) -> String| {
        std::iter::once(name.to_owned()).chain(rungs.iter().map(|rung| shown(&rung.posting))).collect()
    };
    let first = rungs.first().map_or(1.0, |rung| rung.posting.rate());
    table.push(row("postings a second", &|posting| {
        format!("{} ({})", whole(posting.rate()), ratio(posting.rate() / first))
    }));
    table.push(row("p50 ms", &|posting| milliseconds(posting.latencies.p50())));
    table.push(row("p99 ms", &|posting| milliseconds(posting.latencies.p99())));
    table.push(row("CPU µs each: Postgres", &|posting| each(posting.cost.postgres, posting.done as f64)));
    table.push(row("CPU µs each: engine and callers", &|posting| {
        each(posting.cost.client, posting.done as f64)
    }));
    table.push(row("WAL kB each", &|posting| {
        format!("{:.2}", posting.cost.wal as f64 / posting.done as f64 / 1_000.0)
    }));
    table.push(row("others' CPU", &|posting| percent(posting.cost.others_share())));
    table
}

fn reads(rungs: &[Rung]) -> Table {
    let head = head(rungs);
    let mut table = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for (place, read) in Read::ALL.into_iter().enumerate() {
        let p50 =
            |rung: &Rung| rung.reads.get(place).map_or(Duration::ZERO, |(_, read)| read.latencies.p50());
        let first = rungs.first().map_or(Duration::ZERO, p50).as_secs_f64();
        let cell =
            |rung: &Rung| format!("{} ({})", milliseconds(p50(rung)), ratio(p50(rung).as_secs_f64() / first));
        let name = format!("{}, p50 ms", read.name());
        table.push(std::iter::once(name).chain(rungs.iter().map(cell)).collect());
    }
    table
}
