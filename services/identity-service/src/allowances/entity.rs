//! So many within a time, with a pause between any two.

use chrono::{DateTime, TimeDelta, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) most: usize,
    pub(crate) within: TimeDelta,
    pub(crate) pause: TimeDelta,
}

impl Allowance {
    /// Messages to a person: once a minute, five times an hour.
    pub(crate) const MESSAGES: Self =
        Self { most: 5, within: TimeDelta::hours(1), pause: TimeDelta::minutes(1) };
    /// And ten a day, so that nobody is pestered through us.
    pub(crate) const MESSAGES_A_DAY: Self =
        Self { most: 10, within: TimeDelta::days(1), pause: TimeDelta::zero() };
    /// Passwords that are told by who is signed in already: ten in a quarter of an hour, however fast.
    pub(crate) const PROOFS: Self =
        Self { most: 10, within: TimeDelta::minutes(15), pause: TimeDelta::zero() };
    /// And fifty a day in a row, so that nobody who has the time finds it: no more than a hundred may be (NIST SP 800-63B-4, 3.2.2).
    pub(crate) const PASSWORDS_A_DAY: Self =
        Self { most: 50, within: TimeDelta::days(1), pause: TimeDelta::zero() };
    /// And codes of a second factor fifty a day, so that nobody who has the time finds one.
    pub(crate) const CODES_A_DAY: Self =
        Self { most: 50, within: TimeDelta::days(1), pause: TimeDelta::zero() };
    /// Applications for a tier: each is paid for at the provider, and says whether a number is somebody's.
    pub(crate) const CASES: Self = Self { most: 5, within: TimeDelta::days(1), pause: TimeDelta::zero() };
    /// So are checks of a bank verification number: whoever may try birthdays without end finds the one of a number.
    pub(crate) const BVN_CHECKS: Self =
        Self { most: 10, within: TimeDelta::days(1), pause: TimeDelta::zero() };

    /// What was taken from now on, oldest first; or how long to wait. `taken` is what was before.
    pub(crate) fn take(
        &self,
        taken: &[DateTime<Utc>],
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, TimeDelta> {
        let mut recent: Vec<_> = taken.iter().copied().filter(|at| now - *at < self.within).collect();
        recent.sort_unstable();
        let after_pause = recent.last().map(|last| *last + self.pause);
        let too_many = recent.len().checked_sub(self.most).and_then(|over| recent.get(over));
        let free_again = too_many.map(|first| *first + self.within);
        if let Some(at) = after_pause.into_iter().chain(free_again).max().filter(|at| *at > now) {
            return Err(at - now);
        }
        recent.push(now);
        Ok(recent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn once_a_minute_and_five_times_an_hour() {
        let mut taken = Vec::new();
        for minute in 0..5 {
            taken = Allowance::MESSAGES.take(&taken, at(minute * 60)).unwrap();
        }
        assert_eq!(Allowance::MESSAGES.take(&taken[..1], at(59)), Err(TimeDelta::seconds(1)));
        assert_eq!(Allowance::MESSAGES.take(&taken, at(600)), Err(TimeDelta::seconds(3000)));
        let later = Allowance::MESSAGES.take(&taken, at(3600)).unwrap();
        assert_eq!(
            (later.len(), later.first()),
            (5, Some(&at(60))),
            "what is older than an hour is forgotten"
        );
    }

    proptest! {
        /// Whenever somebody asks: never more than allowed in any window, never too soon, and who waits as long as they are
        /// told gets it.
        #[test]
        fn no_window_holds_more_than_allowed(pauses in prop::collection::vec(0_i64..1500, 1..60)) {
            let allowance = Allowance::MESSAGES;
            let (mut now, mut taken, mut given) = (0, Vec::new(), Vec::new());
            for pause in pauses {
                now += pause;
                match allowance.take(&taken, at(now)) {
                    Ok(after) => {
                        given.push(now);
                        taken = after;
                    }
                    Err(wait) => prop_assert!(allowance.take(&taken, at(now) + wait).is_ok()),
                }
                prop_assert!(taken.len() <= allowance.most);
            }
            for pair in given.windows(2) {
                prop_assert!(pair[1] - pair[0] >= 60);
            }
            for window in given.windows(allowance.most + 1) {
                prop_assert!(window[allowance.most] - window[0] >= 3600);
            }
        }
    }
}
