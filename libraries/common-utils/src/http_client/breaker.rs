//! A circuit breaker: closed → open after so many failures in a row → after a pause one call may try (half open) →
//! closed again when it succeeds, open again when it fails.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics::{describe_gauge, gauge};

#[derive(Debug, Clone)]
pub struct BreakerConfig {
    /// Failures in a row that open the circuit.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub pause: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 10, pause: Duration::from_secs(5) }
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

#[derive(Debug)]
pub struct Breaker {
    service: &'static str,
    remote: &'static str,
    config: BreakerConfig,
    state: Mutex<State>,
}

/// The right to make one call. Dropped without a result (our own caller went away) it says nothing about the remote
/// system, or clients that hang up could open the circuit for everybody; only a trial is then still to be made.
#[derive(Debug)]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    succeeded: Option<bool>,
}

impl Breaker {
    /// `service` calls `remote`.
    pub fn new(service: &'static str, remote: &'static str, config: BreakerConfig) -> Self {
        describe_gauge!("wallet_client_circuit_open", "1 while calls to this remote system are held back.");
        let breaker = Self { service, remote, config, state: Mutex::new(State::Closed { failures: 0 }) };
        breaker.show(false);
        breaker
    }

    fn show(&self, open: bool) {
        let value = if open { 1.0 } else { 0.0 };
        gauge!("wallet_client_circuit_open", "service" => self.service, "remote" => self.remote).set(value);
    }

    pub fn remote(&self) -> &'static str {
        self.remote
    }

    /// None while the circuit is open, or half open with its one call under way.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => {}
            State::Open { until } if Instant::now() >= until => *state = State::HalfOpen,
            State::Open { .. } | State::HalfOpen => return None,
        }
        Some(Permit { breaker: self, succeeded: None })
    }

    fn record(&self, succeeded: Option<bool>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match (*state, succeeded) {
            (_, Some(true)) => State::Closed { failures: 0 },
            (State::HalfOpen, None) => State::Open { until: Instant::now() },
            (unchanged, None) => unchanged,
            (State::Closed { failures }, Some(false)) if failures + 1 < self.config.failures => {
                State::Closed { failures: failures + 1 }
            }
            (_, Some(false)) => State::Open { until: Instant::now() + self.config.pause },
        };
        self.show(matches!(*state, State::Open { .. }));
    }
}

impl Permit<'_> {
    pub fn finish(mut self, succeeded: bool) {
        self.succeeded = Some(succeeded);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.record(self.succeeded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(breaker: &Breaker, succeeds: bool) -> bool {
        breaker.try_acquire().map(|permit| permit.finish(succeeds)).is_some()
    }

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_call_try() {
        let breaker = Breaker::new("wallet", "bank", BreakerConfig { failures: 2, pause: Duration::ZERO });
        assert!(call(&breaker, false) && call(&breaker, true) && call(&breaker, false));
        assert!(matches!(*breaker.state.lock().unwrap(), State::Closed { failures: 1 }));
        assert!(call(&breaker, false));
        let trial = breaker.try_acquire().expect("the pause is over");
        assert!(breaker.try_acquire().is_none(), "one call tries, the others wait");
        trial.finish(true);
        assert!(call(&breaker, true));
    }

    #[test]
    fn callers_that_go_away_do_not_open_it() {
        let breaker =
            Breaker::new("wallet", "bank", BreakerConfig { failures: 2, pause: Duration::from_millis(10) });
        for _ in 0..5 {
            drop(breaker.try_acquire().expect("it is closed"));
        }
        assert!(call(&breaker, false) && call(&breaker, false));
        assert!(breaker.try_acquire().is_none(), "it is open");
        std::thread::sleep(Duration::from_millis(20));
        drop(breaker.try_acquire().expect("a trial"));
        assert!(call(&breaker, true), "another trial");
        assert!(call(&breaker, true));
    }

    #[test]
    fn stays_open_for_its_pause() {
        let breaker =
            Breaker::new("wallet", "bank", BreakerConfig { failures: 1, pause: Duration::from_hours(1) });
        assert!(call(&breaker, false));
        assert!(!call(&breaker, true));
    }

    #[test]
    fn its_gauge_names_both_ends() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let page = metrics::with_local_recorder(&recorder, || {
            let config = BreakerConfig { failures: 1, pause: Duration::from_hours(1) };
            let _unused = Breaker::new("transaction", "bank", config.clone());
            call(&Breaker::new("wallet", "bank", config), false);
            recorder.handle().render()
        });
        let gauge = |service| format!("wallet_client_circuit_open{{service=\"{service}\",remote=\"bank\"}}");
        assert!(page.contains(&format!("{} 1", gauge("wallet"))), "{page}");
        assert!(page.contains(&format!("{} 0", gauge("transaction"))), "there from the start: {page}");
    }
}
