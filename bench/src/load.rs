//! A closed loop: so many callers, each of which waits for its answer before it calls again.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    latency::Latencies,
    meter::{Cost, Meter},
    quiet,
};

/// Somebody who calls again and again.
pub(crate) trait Caller: Send + 'static {
    /// Makes one call; says how much it did, which is nothing where it was refused. An error ends the benchmark.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<u32>> + Send;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Counted for nothing: connections, caches and plans settle.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

#[derive(Debug)]
pub(crate) struct Measured {
    /// What was done while it was measured.
    pub(crate) done: u64,
    /// What was done at all; the books must have as much.
    pub(crate) total: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
    pub(crate) cost: Cost,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64()
    }
}

impl quiet::Disturbed for Measured {
    fn cost(&self) -> &Cost {
        &self.cost
    }
}

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Lets the callers loose and measures what they do.
pub(crate) async fn run<C: Caller>(
    callers: Vec<C>,
    timing: Timing,
    meter: &Meter,
) -> anyhow::Result<Measured> {
    let phase = Arc::new(AtomicU8::new(WARMING_UP));
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(repeat(caller, Arc::clone(&phase)));
    }
    tokio::time::sleep(timing.warm_up).await;
    let before = meter.read().await?;
    phase.store(MEASURING, Ordering::Relaxed);
    let started = Instant::now();
    tokio::time::sleep(timing.measured).await;
    phase.store(OVER, Ordering::Relaxed);
    let elapsed = started.elapsed();
    let after = meter.read().await?;
    let (mut done, mut total, mut latencies) = (0, 0, Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let own = ended??;
        done += own.done;
        total += own.total;
        latencies.extend(own.latencies);
    }
    let cost = after.since(&before);
    Ok(Measured { done, total, elapsed, latencies: Latencies::new(latencies), cost })
}

#[derive(Debug, Default)]
struct Own {
    done: u64,
    total: u64,
    latencies: Vec<Duration>,
}

/// A call counts when its answer comes while it is measured.
async fn repeat<C: Caller>(mut caller: C, phase: Arc<AtomicU8>) -> anyhow::Result<Own> {
    let mut own = Own::default();
    while phase.load(Ordering::Relaxed) != OVER {
        let began = Instant::now();
        let did = caller.call().await?;
        own.total += u64::from(did);
        if did > 0 && phase.load(Ordering::Relaxed) == MEASURING {
            own.done += u64::from(did);
            own.latencies.push(began.elapsed());
        }
    }
    Ok(own)
}
