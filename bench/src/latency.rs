//! How long calls took.

use std::time::Duration;

/// Every call's time, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The time within which `percent` of a hundred calls were answered.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> Duration {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_calls() {
        let hundred = Latencies::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((hundred.p50(), hundred.p99()), (Duration::from_millis(50), Duration::from_millis(99)));
        assert_eq!(hundred.percentile(100), Duration::from_millis(100));
        let two = Latencies::new(vec![Duration::from_millis(9), Duration::from_millis(1)]);
        assert_eq!((two.p50(), two.p99()), (Duration::from_millis(1), Duration::from_millis(9)));
        assert_eq!(Latencies::default().p99(), Duration::ZERO);
    }
}
