//! `bench events`: how fast events leave an outbox and take effect, beside a producer and a consumer that do nothing else.

mod plain;
mod subject;

use std::time::{Duration, Instant};

use anyhow::ensure;
use common_events::{
    KafkaConfig,
    topics::{self, Partitions},
};
use common_utils::{config::Env, ids};

use self::subject::{Effects, Subject};
use crate::{
    database::Server,
    latency::Latencies,
    machine,
    meter::{Cost, Meter},
    options::Options,
    report,
    table::{Table, each, milliseconds, percent, ratio, whole},
};

/// Events of a transaction of the business, as of a batch of twenty transfers.
const IN_A_ROW: usize = 40;

/// What went through in how long.
struct Flow {
    name: &'static str,
    events: usize,
    cost: Cost,
}

impl Flow {
    fn rate(&self) -> f64 {
        self.events as f64 / self.cost.elapsed.as_secs_f64()
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?.with_parts(options.servers());
    let events = if options.quick { 20_000 } else { 300_000 };
    let subject = Subject::new(&server, kafka().await?).await?;
    subject.fill(events, IN_A_ROW).await?;
    let payloads = subject.payloads().await?;

    let other = kafka().await?;
    let produced = flow("plain producer", events, &meter, plain::produce(&other, &payloads)).await?;
    let relayed = flow("relay, from the outbox", events, &meter, subject.relay_all()).await?;
    let consumed = flow("plain consumer", events, &meter, plain::consume(&other, events)).await?;
    let effects = Effects::new(events);
    let handled = flow("consumer, inbox and effect", events, &meter, subject.consume_all(&effects)).await?;
    subject.verify(events).await?;
    let calm = latency(&subject, options, None).await?;
    let busy = latency(&subject, options, Some(Duration::from_millis(20))).await?;
    subject.end(&server).await?;

    let flows = throughput(&[
        (&produced, &produced),
        (&relayed, &produced),
        (&consumed, &consumed),
        (&handled, &consumed),
    ]);
    let delays = delays(&[("at rest", &calm), ("beside 2,000 events a second", &busy)]);
    let parts = [machine, flows.to_string(), delays.to_string(), ABOUT.to_owned()];
    report::publish(options, "events", &parts.join("\n\n"))
}

const ABOUT: &str = "The plain producer has the relay's settings (idempotent, `acks=all`, lz4) and sends the same events from memory; the plain \
                     consumer reads them and does nothing. The consumer notes each event in its inbox and writes one row for it. `commit → effect` \
                     is from the end of the transaction that wrote an event to the end of the one in which it took effect.";

/// With topics of its own.
async fn kafka() -> anyhow::Result<KafkaConfig> {
    let mut config = KafkaConfig::from_env(&Env::of_process("bench"), "bench")?;
    config.prefix = format!("bench-{}-", ids::new_id().simple());
    config.outbox_retention = Duration::ZERO;
    topics::apply(&config, Partitions::AsTheyAre).await?;
    Ok(config)
}

async fn flow(
    name: &'static str,
    events: usize,
    meter: &Meter,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Flow> {
    let before = meter.read().await?;
    work.await?;
    let cost = meter.read().await?.since(&before);
    let flow = Flow { name, events, cost };
    println!("{name}: {} events a second", whole(flow.rate()));
    Ok(flow)
}

/// One event at a time, with nothing or with others beside it.
async fn latency(
    subject: &Subject,
    options: &Options,
    others_every: Option<Duration>,
) -> anyhow::Result<Latencies> {
    let samples = if options.quick { 20 } else { 300 };
    let running = subject.run()?;
    let load = others_every.map(|pause| subject.load(pause, IN_A_ROW));
    let mut delays = Vec::with_capacity(samples);
    for sample in 0..samples {
        let delay = subject.one().await?;
        // The first ones wait for the group to form.
        if sample >= samples / 10 {
            delays.push(delay);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(load);
    running.end().await;
    ensure!(!delays.is_empty(), "nothing was measured");
    let delays = Latencies::new(delays);
    println!("commit to effect: p50 {} ms", milliseconds(delays.p50()));
    Ok(delays)
}

/// Each beside its yardstick.
fn throughput(flows: &[(&Flow, &Flow)]) -> Table {
    let head = ["", "events/s", "× plain", "CPU µs each: Postgres", "Kafka", "this process", "others' CPU"];
    let mut table = Table::new(&head);
    for (flow, plain) in flows {
        let events = flow.events as f64;
        table.push(vec![
            flow.name.to_owned(),
            whole(flow.rate()),
            ratio(flow.rate() / plain.rate()),
            each(flow.cost.postgres, events),
            each(flow.cost.of("kafka"), events),
            each(flow.cost.client, events),
            percent(flow.cost.others_share()),
        ]);
    }
    table
}

fn delays(all: &[(&str, &Latencies)]) -> Table {
    let mut table = Table::new(&["commit → effect", "p50 ms", "p99 ms"]);
    for (name, delays) in all {
        table.push(vec![(*name).to_owned(), milliseconds(delays.p50()), milliseconds(delays.p99())]);
    }
    table
}

/// Asks until it is so, for five minutes at the most.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !ask().await? {
        ensure!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
