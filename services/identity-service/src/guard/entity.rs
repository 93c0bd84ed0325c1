//! How long a sign-in has to wait after others have failed.
//!
//! Three counts of failures in a row are kept, each under a rule of its own:
//!
//! | of | free | then | from 50 on | forgotten after |
//! | --- | --- | --- | --- | --- |
//! | an identifier at a source | 5 | 1 s, doubled by each failure, at the most 15 min | a day | a day without one |
//! | an identifier, at sources new to it | 20 | 1 min, doubled, at the most 15 min | a day | a day without one |
//! | a source, at identifiers new to it | 50 | 1 min, doubled, at the most 15 min | stays at 15 min | an hour without one |
//!
//! A place where the account has signed in before is asked for the first count alone: strangers who fail elsewhere do
//! not shut the owner out, nor do neighbours behind one address who fail at accounts of their own. Who fails fifty times at the owner's
//! account and from the owner's address does, for a day: the two cannot be told apart. A sign-in that succeeds ends the first two counts.
//!
//! An account has two identifiers, the address and the number, and they are not counted together: a common count would tell
//! which two belong to one person. So strangers have at most 100 failures in a row (NIST SP 800-63B-4 § 3.2.2), and who sits behind
//! an address of the owner's has 50 for each. The standard would then have the password disabled; here a day has to pass, because whoever
//! fails on purpose would otherwise shut the owner out for good.

use chrono::{DateTime, TimeDelta, Utc};

/// From so many failures on, nothing is tried for a day.
const MOST_OF_IDENTIFIER: i32 = 50;
const DAY: TimeDelta = TimeDelta::days(1);
const LONGEST: TimeDelta = TimeDelta::minutes(15);

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An identifier at a source.
    Pair,
    /// An identifier, wherever it is new.
    Identifier,
    /// A source, whatever identifiers are new to it.
    Source,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) count: i32,
    pub(crate) last: DateTime<Utc>,
    pub(crate) blocked_until: DateTime<Utc>,
}

/// What an attempt finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pair: Failures,
    pub(crate) identifier: Failures,
    pub(crate) source: Failures,
    /// The account has signed in from here.
    pub(crate) at_home: bool,
}

/// Whether a password may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It counts as failed until it has succeeded, so that many at the same moment are not all free.
    Try {
        counted: Vec<(Scope, Failures)>,
        locks: Option<Failures>,
        /// From this one on it is for a day, wherever: the owner is told once.
        for_a_day: bool,
        blocks_source: bool,
    },
    Wait {
        scope: Scope,
        until: DateTime<Utc>,
    },
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pair => "account_and_source",
            Self::Identifier => "account",
            Self::Source => "source",
        }
    }

    fn free(self) -> i32 {
        match self {
            Self::Pair => 5,
            Self::Identifier => 20,
            Self::Source => 50,
        }
    }

    fn first(self) -> TimeDelta {
        match self {
            Self::Pair => TimeDelta::seconds(1),
            Self::Identifier | Self::Source => TimeDelta::minutes(1),
        }
    }

    /// Without a failure for so long, the count begins anew.
    pub(crate) fn memory(self) -> TimeDelta {
        match self {
            Self::Pair | Self::Identifier => DAY,
            Self::Source => TimeDelta::hours(1),
        }
    }

    /// The wait after so many failures in a row.
    fn wait(self, failures: i32) -> TimeDelta {
        let beyond = failures - self.free();
        if beyond < 0 {
            return TimeDelta::zero();
        }
        if self != Self::Source && failures >= MOST_OF_IDENTIFIER {
            return DAY;
        }
        // Ten doublings of a second are longer than the longest.
        let doubled = self.first() * (1 << beyond.min(10));
        doubled.min(LONGEST)
    }
}

impl Failures {
    pub(crate) fn none(now: DateTime<Utc>) -> Self {
        Self { count: 0, last: now, blocked_until: now }
    }

    /// What counts of it now.
    fn recalled(self, scope: Scope, now: DateTime<Utc>) -> Self {
        if now - self.last >= scope.memory() && now >= self.blocked_until { Self::none(now) } else { self }
    }

    fn one_more(self, scope: Scope, now: DateTime<Utc>) -> Self {
        let count = self.count.saturating_add(1);
        Self { count, last: now, blocked_until: now + scope.wait(count) }
    }

    /// One of them was none. The wait is that of those which are left: who was counted after it may have been taken back before it.
    pub(crate) fn one_less(self, scope: Scope) -> Self {
        let count = self.count.saturating_sub(1).max(0);
        let blocked_until = self.blocked_until.min(self.last + scope.wait(count));
        Self { count, blocked_until, ..self }
    }
}

impl Counts {
    pub(crate) fn attempt(&self, now: DateTime<Utc>) -> Decision {
        let all =
            [(Scope::Pair, self.pair), (Scope::Identifier, self.identifier), (Scope::Source, self.source)];
        let asked = if self.at_home { &all[..1] } else { &all[..] };
        let longest = asked.iter().max_by_key(|(_, failures)| failures.blocked_until);
        if let Some((scope, failures)) = longest
            && failures.blocked_until > now
        {
            return Decision::Wait { scope: *scope, until: failures.blocked_until };
        }
        let counted: Vec<(Scope, Failures)> = asked
            .iter()
            .map(|(scope, failures)| (*scope, failures.recalled(*scope, now).one_more(*scope, now)))
            .collect();
        let reaches = |scope: Scope, count: i32| {
            counted.iter().find(|(of, failures)| *of == scope && failures.count == count).map(|(_, of)| *of)
        };
        let locks = reaches(Scope::Identifier, Scope::Identifier.free())
            .or_else(|| reaches(Scope::Identifier, MOST_OF_IDENTIFIER));
        let for_a_day = [Scope::Pair, Scope::Identifier]
            .into_iter()
            .any(|scope| reaches(scope, MOST_OF_IDENTIFIER).is_some());
        let blocks_source = reaches(Scope::Source, Scope::Source.free()).is_some();
        Decision::Try { counted, locks, for_a_day, blocks_source }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// The counts of a world with one account, tried again and again.
    fn fail(counts: &mut Counts, now: DateTime<Utc>) -> bool {
        let Decision::Try { counted, .. } = counts.attempt(now) else { return false };
        for (scope, failures) in counted {
            match scope {
                Scope::Pair => counts.pair = failures,
                Scope::Identifier => counts.identifier = failures,
                Scope::Source => counts.source = failures,
            }
        }
        true
    }

    fn fresh(at_home: bool) -> Counts {
        let none = Failures::none(at(0));
        Counts { pair: none, identifier: none, source: none, at_home }
    }

    #[test]
    fn five_are_free_then_each_waits_twice_as_long() {
        let mut counts = fresh(true);
        for _ in 0..5 {
            assert!(fail(&mut counts, at(0)));
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert!(!fail(&mut counts, at(now + wait - 1)), "before {wait} s");
            now += wait;
            assert!(fail(&mut counts, at(now)), "after {wait} s");
        }
    }

    #[test]
    fn many_sources_lock_the_account_for_strangers_and_not_at_home() {
        let mut counts = fresh(false);
        for failed in 1..=20 {
            counts.pair = Failures::none(at(0));
            let Decision::Try { locks, .. } = counts.attempt(at(0)) else { panic!("{failed}") };
            assert_eq!(locks.is_some(), failed == 20);
            fail(&mut counts, at(0));
        }
        counts.pair = Failures::none(at(0));
        assert_eq!(counts.attempt(at(59)), Decision::Wait { scope: Scope::Identifier, until: at(60) });
        assert!(matches!(Counts { at_home: true, ..counts }.attempt(at(0)), Decision::Try { .. }));
        assert!(matches!(counts.attempt(at(60)), Decision::Try { .. }));
    }

    #[test]
    fn one_source_at_many_accounts_is_held_back_and_told_of_once() {
        let mut counts = fresh(false);
        for failed in 1..=50 {
            (counts.pair, counts.identifier) = (Failures::none(at(0)), Failures::none(at(0)));
            let Decision::Try { blocks_source, .. } = counts.attempt(at(0)) else { panic!("{failed}") };
            assert_eq!(blocks_source, failed == 50);
            fail(&mut counts, at(0));
        }
        (counts.pair, counts.identifier) = (Failures::none(at(0)), Failures::none(at(0)));
        assert_eq!(counts.attempt(at(1)), Decision::Wait { scope: Scope::Source, until: at(60) });
        assert!(matches!(Counts { at_home: true, ..counts }.attempt(at(1)), Decision::Try { .. }));
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let mut counts = fresh(false);
        for _ in 0..5 {
            fail(&mut counts, at(0));
        }
        let Decision::Try { counted, .. } = counts.attempt(at(3_600)) else { panic!() };
        let count = |of: Scope| counted.iter().find(|(scope, _)| *scope == of).map(|(_, of)| of.count);
        assert_eq!((count(Scope::Pair), count(Scope::Source)), (Some(6), Some(1)));
        let Decision::Try { counted, .. } = counts.attempt(at(86_400)) else { panic!() };
        assert!(counted.iter().all(|(_, failures)| failures.count == 1));
    }

    proptest! {
        /// However somebody times it, from however many sources: at most 50 failures in a row, and not more than so many in the
        /// first minutes.
        #[test]
        fn no_timing_gets_more_than_the_limit(waits in prop::collection::vec(0_i64..2_000, 1..400), new_source in any::<bool>()) {
            let (mut counts, mut now, mut tried, mut early) = (fresh(false), 0, 0, 0);
            for wait in waits {
                now += wait;
                if new_source {
                    (counts.pair, counts.source) = (Failures::none(at(now)), Failures::none(at(now)));
                }
                if now < 86_400 && fail(&mut counts, at(now)) {
                    tried += 1;
                    early += i32::from(now < 900);
                }
            }
            prop_assert!(tried <= MOST_OF_IDENTIFIER, "{tried}");
            prop_assert!(early <= 25, "{early} in a quarter of an hour");
        }

        /// Nothing that happens elsewhere makes somebody wait who signs in where they did before.
        #[test]
        fn strangers_do_not_shut_the_owner_out(identifier in 0_i32..1000, source in 0_i32..1000, blocked in 0_i64..100_000) {
            let failed = |count| Failures { count, last: at(0), blocked_until: at(blocked) };
            let counts = Counts { pair: Failures::none(at(0)), identifier: failed(identifier), source: failed(source), at_home: true };
            let free = matches!(counts.attempt(at(0)), Decision::Try { .. });
            prop_assert!(free);
        }

        /// Sign-ins that succeed leave no wait behind, however many were under way at once and in which order they end.
        #[test]
        fn what_is_taken_back_holds_nobody_back(steps in prop::collection::vec(any::<bool>(), 1..300), failed in 0_i32..50) {
            for scope in [Scope::Pair, Scope::Identifier, Scope::Source] {
                let mut counted = Failures::none(at(0));
                for _ in 0..failed {
                    counted = counted.one_more(scope, at(0));
                }
                let (before, mut under_way) = (counted, 0);
                for begins in &steps {
                    if *begins {
                        (counted, under_way) = (counted.one_more(scope, at(0)), under_way + 1);
                    } else if under_way > 0 {
                        (counted, under_way) = (counted.one_less(scope), under_way - 1);
                    }
                }
                for _ in 0..under_way {
                    counted = counted.one_less(scope);
                }
                prop_assert_eq!(counted, before);
            }
        }

        /// A wait ends, and is never longer than a day.
        #[test]
        fn every_wait_ends(count in 0_i32..i32::MAX, scope in prop_oneof![Just(Scope::Pair), Just(Scope::Identifier), Just(Scope::Source)]) {
            let wait = scope.wait(count);
            prop_assert!(wait >= TimeDelta::zero() && wait <= DAY);
            prop_assert!(scope.wait(count.saturating_add(1)) >= wait, "it only grows");
        }
    }
}
