//! A machine that does something else gives wrong numbers. Loads wait for it to be quiet, and those that were disturbed are
//! measured again; both have an end, and the tables tell how much others took.

use std::time::{Duration, Instant};

use crate::{
    meter::{Cost, Meter},
    options::Options,
};

/// Of the machine; the kernel's own work for a load is about as much.
const QUIET: f64 = 0.10;
const LOOK: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);
const ATTEMPTS: usize = 3;

pub(crate) trait Disturbed {
    fn cost(&self) -> &Cost;
}

/// Measures until it was quiet enough, at most three times; gives the least disturbed.
pub(crate) async fn measure<T: Disturbed>(
    options: &Options,
    meter: &Meter,
    once: impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !options.keeps() {
        return once().await;
    }
    let mut best = measured_in_quiet(meter, &once).await?;
    for _ in 1..ATTEMPTS {
        if best.cost().others_share() < QUIET {
            break;
        }
        let again = measured_in_quiet(meter, &once).await?;
        if again.cost().others_share() < best.cost().others_share() {
            best = again;
        }
    }
    Ok(best)
}

async fn measured_in_quiet<T>(
    meter: &Meter,
    once: &impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let before = meter.read().await?;
        tokio::time::sleep(LOOK).await;
        if meter.read().await?.since(&before).others_share() < QUIET {
            break;
        }
    }
    once().await
}
