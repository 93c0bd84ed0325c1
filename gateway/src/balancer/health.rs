//! Whether a target is up. Signs in a row count: a good one forgets the bad ones, a bad one the good ones. A threshold
//! of 0 is never reached. A target starts up.

use std::sync::{Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Success,
    TcpFailure,
    Timeout,
    HttpFailure,
}

impl Sign {
    pub(crate) fn of_status(status: u16, good: &[u16], bad: &[u16]) -> Option<Self> {
        if good.contains(&status) {
            Some(Self::Success)
        } else {
            bad.contains(&status).then_some(Self::HttpFailure)
        }
    }
}

#[derive(Debug)]
pub(crate) struct Thresholds {
    pub(crate) successes: u32,
    pub(crate) tcp_failures: u32,
    pub(crate) timeouts: u32,
    pub(crate) http_failures: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    down: bool,
    successes: u32,
    tcp_failures: u32,
    timeouts: u32,
    http_failures: u32,
}

impl Health {
    pub(crate) fn is_up(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).down
    }

    /// Answers whether it is up now, if that has just changed.
    pub(crate) fn note(&self, sign: Sign, thresholds: &Thresholds) -> Option<bool> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sign == Sign::Success {
            (state.tcp_failures, state.timeouts, state.http_failures) = (0, 0, 0);
        } else {
            state.successes = 0;
        }
        let (count, threshold) = match sign {
            Sign::Success => (&mut state.successes, thresholds.successes),
            Sign::TcpFailure => (&mut state.tcp_failures, thresholds.tcp_failures),
            Sign::Timeout => (&mut state.timeouts, thresholds.timeouts),
            Sign::HttpFailure => (&mut state.http_failures, thresholds.http_failures),
        };
        *count = count.saturating_add(1);
        let reached = threshold > 0 && *count >= threshold;
        let down = sign != Sign::Success;
        if !reached || state.down == down {
            return None;
        }
        state.down = down;
        Some(!down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Thresholds = Thresholds { successes: 1, tcp_failures: 2, timeouts: 0, http_failures: 2 };

    #[test]
    fn signs_in_a_row_change_it() {
        let health = Health::default();
        for (sign, change) in [
            (Sign::HttpFailure, None),
            (Sign::Success, None),
            (Sign::HttpFailure, None),
            (Sign::TcpFailure, None),
            (Sign::HttpFailure, Some(false)),
            (Sign::HttpFailure, None),
            (Sign::Success, Some(true)),
        ] {
            assert_eq!(health.note(sign, &TWO), change, "{sign:?}");
        }
        assert!((0..10).all(|_| health.note(Sign::Timeout, &TWO).is_none()), "0 is never reached");
    }
}
