//! What operators see of deposits that wait. Every series exists from the start.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::{limits, repo::Waiting};
use crate::SERVICE;

const PARKED: &str = "wallet_deposits_parked";
const OLDEST: &str = "wallet_deposits_parked_oldest_seconds";
const RELEASED: &str = "wallet_deposits_released_total";

/// A person has to decide; [`super::repo::waiting`] calls it the same.
const MANUAL: &str = "manual";

pub(crate) fn register() {
    describe_gauge!(PARKED, "Deposits on the suspense account, by why their wallet did not take them.");
    describe_gauge!(
        OLDEST,
        "Age of the oldest deposit on the suspense account, by reason; zero where there is none."
    );
    describe_counter!(RELEASED, "Deposits that were above a limit and are in their wallets now.");
    counter!(RELEASED, "service" => SERVICE).increment(0);
    waiting(&[]);
}

pub(super) fn released() {
    counter!(RELEASED, "service" => SERVICE).increment(1);
}

pub(super) fn waiting(waiting: &[Waiting]) {
    for reason in limits().into_iter().chain([MANUAL.to_owned()]) {
        let found = waiting.iter().find(|waiting| waiting.reason == reason);
        let (count, oldest) = found.map_or((0, 0.0), |found| (found.count, found.oldest_seconds));
        let count = f64::from(i32::try_from(count).unwrap_or(i32::MAX));
        gauge!(PARKED, "service" => SERVICE, "reason" => reason.clone()).set(count);
        gauge!(OLDEST, "service" => SERVICE, "reason" => reason).set(oldest.max(0.0));
    }
}
