//! What is written about transfers.

use std::time::Duration;

use crate::{
    memory::Memory,
    people::PEOPLE,
    platform::{Events, Shape},
    table::{NOTHING, Table, each, milliseconds, percent, ratio, whole},
    transfers::{Row, Run},
    yardstick::Yardstick,
};

const SERVERS: [&str; 2] = ["kafka", "redis"];

pub(crate) fn transfers(machine: &str, yardstick: &Yardstick, runs: &[Run]) -> String {
    let mut parts = vec![machine.to_owned(), rates(yardstick, runs).to_string()];
    parts.push(format!(
        "{PEOPLE} people with funded wallets send in turn, so the gateway's rates (100 a minute a person) stay as they \
         are. `CPU µs` is processor time for each transfer; `unpublished` are events that waited for Kafka when the \
         load ended, and how long they took; `unlogged` those that admin-service had then not taken in.",
    ));
    parts.push(who(runs).to_string());
    parts.push(memory(runs).to_string());
    parts.push(runs.iter().map(answers).collect::<Vec<_>>().join("\n"));
    parts.join("\n\n")
}

pub(crate) fn shape(shape: Shape) -> &'static str {
    match (shape.one_process, shape.events) {
        (true, Events::Kept) => "one process, no Kafka",
        (false, Events::Kept) => "apart, no Kafka",
        (true, Events::Published) => "one process, published only",
        (false, Events::Published) => "apart, published only",
        (true, Events::TakenIn) => "one process",
        (false, Events::TakenIn) => "apart",
    }
}

fn rates(yardstick: &Yardstick, runs: &[Run]) -> Table {
    let mut table = Table::new(&[
        "load",
        "a second",
        "p50 ms",
        "p99 ms",
        "× pgbench",
        "CPU µs: Postgres",
        "platform",
        "Kafka, Redis",
        "clients",
        "WAL kB each",
        "unpublished",
        "unlogged",
        "others' CPU",
    ]);
    table.push(vec![
        "pgbench, 16 clients".to_owned(),
        whole(yardstick.rate),
        format!("{} (mean)", milliseconds(yardstick.average)),
        NOTHING.to_owned(),
        ratio(1.0),
        each(yardstick.cost.postgres, yardstick.done),
        NOTHING.to_owned(),
        NOTHING.to_owned(),
        each(yardstick.cost.client, yardstick.done),
        format!("{:.2}", yardstick.cost.wal as f64 / yardstick.done / 1_000.0),
        NOTHING.to_owned(),
        NOTHING.to_owned(),
        percent(yardstick.cost.others_share()),
    ]);
    for run in runs {
        run.rows.iter().for_each(|row| table.push(rate(yardstick, run.shape, row)));
    }
    table
}

fn rate(yardstick: &Yardstick, of: Shape, row: &Row) -> Vec<String> {
    let (done, cost) = (row.measured.done as f64, &row.measured.cost);
    let servers: Duration = SERVERS.into_iter().map(|name| cost.of(name)).sum();
    let all: Duration = cost.parts.iter().map(|(_, used)| *used).sum();
    vec![
        format!("{}, {}", shape(of), row.load.name),
        whole(row.measured.rate()),
        milliseconds(row.measured.latencies.p50()),
        milliseconds(row.measured.latencies.p99()),
        ratio(row.measured.rate() / yardstick.rate),
        each(cost.postgres, done),
        each(all.saturating_sub(servers), done),
        each(servers, done),
        each(cost.client, done),
        format!("{:.2}", cost.wal as f64 / done / 1_000.0),
        format!("{}, {:.1} s", whole(row.unpublished as f64), row.published_after.as_secs_f64()),
        whole(row.unlogged as f64),
        percent(cost.others_share()),
    ]
}

/// Which process used the time, where they are apart.
fn who(runs: &[Run]) -> Table {
    let mut table = Table::new(&[
        "CPU µs each",
        "identity",
        "wallet",
        "transaction",
        "admin",
        "gateway",
        "Kafka",
        "Redis",
    ]);
    let apart = runs.iter().filter(|run| !run.shape.one_process);
    for (of_run, row) in apart.flat_map(|run| run.rows.iter().map(|row| (run.shape, row))) {
        let of = |name| each(row.measured.cost.of(name), row.measured.done as f64);
        table.push(vec![
            format!("{}, {}", shape(of_run), row.load.name),
            of("identity-service"),
            of("wallet-service"),
            of("transaction-service"),
            of("admin-service"),
            of("gateway"),
            of("kafka"),
            of("redis"),
        ]);
    }
    table
}

fn memory(runs: &[Run]) -> Table {
    let mut table = Table::new(&[
        "memory MB, resident / anonymous",
        "at rest",
        "at half time",
        "at most",
        "after the loads",
    ]);
    for held in runs.iter().flat_map(|run| &run.memory) {
        let shown = [held.at_rest, held.at_half_time, held.at_most, held.after].map(Memory::shown);
        table.push([vec![held.process.to_owned()], shown.into()].concat());
    }
    table
}

fn answers(run: &Run) -> String {
    let others: Vec<String> = run.others.iter().map(|(told, count)| format!("{count} × {told}")).collect();
    let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    format!(
        "- {}: {} transfers completed; the books of both databases agree and are exact. Answers other than 201: {others}.",
        shape(run.shape),
        whole(run.completed as f64),
    )
}
