//! How far a rebuild is, and when it will be there.

use std::{fmt, time::Duration};

/// Messages replayed, of those that there are so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub elapsed: Duration,
}

/// What a rebuild did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that were read.
    pub messages: u64,
    /// Events among them that took effect.
    pub applied: u64,
    /// No events, or events whose id another one had had.
    pub unreadable: u64,
    /// Events that the handler refused.
    pub refused: u64,
    pub elapsed: Duration,
}

impl Progress {
    pub fn per_second(&self) -> u64 {
        per_second(self.done, self.elapsed)
    }

    /// None before there is something to reckon with.
    pub fn left(&self) -> Option<Duration> {
        let left = u128::from(self.total.saturating_sub(self.done));
        let millis = self.elapsed.as_millis().checked_mul(left)?.checked_div(u128::from(self.done))?;
        u64::try_from(millis).ok().map(Duration::from_millis)
    }
}

impl Totals {
    pub fn per_second(&self) -> u64 {
        per_second(self.messages, self.elapsed)
    }
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    let millis = elapsed.as_millis().max(1);
    u64::try_from(u128::from(count) * 1000 / millis).unwrap_or(u64::MAX)
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, total, rate) = (grouped(self.done), grouped(self.total), grouped(self.per_second()));
        write!(f, "{done} of {total} events, {rate}/s")?;
        match self.left() {
            Some(left) => write!(f, ", about {} left", readable(left)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, rate) = (grouped(self.messages), grouped(self.per_second()));
        write!(
            f,
            "{messages} events in {}, {rate}/s, {} of them applied",
            readable(self.elapsed),
            grouped(self.applied)
        )?;
        if self.unreadable > 0 {
            write!(f, "; {} could not be read and were left out", grouped(self.unreadable))?;
        }
        if self.refused > 0 {
            write!(f, "; {} were refused and left out, the log says why", grouped(self.refused))?;
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn readable(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: u64, total: u64, seconds: u64) -> Progress {
        Progress { done, total, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        for (progress, line) in [
            (progress(120_000, 480_000, 8), "120,000 of 480,000 events, 15,000/s, about 24 s left"),
            (progress(0, 480_000, 1), "0 of 480,000 events, 0/s"),
            (progress(0, 0, 0), "0 of 0 events, 0/s"),
            (progress(999, 1_000_000, 1), "999 of 1,000,000 events, 999/s, about 16 min 40 s left"),
            (progress(1000, 7_300_000, 1), "1,000 of 7,300,000 events, 1,000/s, about 2 h 1 min left"),
            (progress(10, 9, 1), "10 of 9 events, 10/s, about 0 s left"),
        ] {
            assert_eq!(progress.to_string(), line);
        }
    }

    #[test]
    fn what_was_left_out_is_told_at_the_end() {
        let fine =
            Totals { messages: 4_000, applied: 3_000, elapsed: Duration::from_secs(2), ..Totals::default() };
        assert_eq!(fine.to_string(), "4,000 events in 2 s, 2,000/s, 3,000 of them applied");
        let poisoned = Totals { unreadable: 2, refused: 1, ..fine };
        assert!(poisoned.to_string().ends_with(
            "; 2 could not be read and were left out; 1 were refused and left out, the log says why"
        ));
    }
}
