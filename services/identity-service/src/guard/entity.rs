//! How long a sign-in has to wait after others have failed.
//!
//! Three counts of failures in a row are kept, each under a rule of its own:
//!
//! | of | free | then | from 50 on | forgotten after |
//! | --- | --- | --- | --- | --- |
//! | an identifier at a source | 5 | 1 s, doubled by each failure, at the most 15 min | a day | a day without one |
//! | an identifier, at sources new to it | 20 | 1 min, doubled, at the most 15 min | stays at 15 min, and its owner is told | a day without one |
//! | a source, at identifiers new to it | 50 | 1 min, doubled, at the most 15 min | stays at 15 min | an hour without one |
//!
//! A place where the account has signed in before is asked for the first count alone: strangers who fail elsewhere do
//! not shut the owner out, nor do neighbours behind one address who fail at accounts of their own. Who fails fifty times at the owner's
//! account and from the owner's address does, for a day: the two cannot be told apart. A sign-in that succeeds ends the first two counts.
//!
//! At a new place the owner waits as strangers do, and a stranger who guesses at the very moment when the wait ends would begin another
//! one each time. So a source that is told to wait for the second count gets a turn: when that wait is over it may try once, whatever
//! others did meanwhile. There are three such turns in a row for each source, or guessing from many of them would know no limit but
//! theirs.
//!
//! So one source has at most 50 failures in a row at an identifier, and each new one three beside the four in an hour that all of them
//! share. NIST SP 800-63B-4 § 3.2.2 would have the password disabled after 100 in all: with that, whoever fails on purpose would shut the
//! owner out for good. An account has two identifiers, the address and the number, and they are not counted together: a common count
//! would tell which two belong to one person.

use chrono::{DateTime, Utc};

use super::failures::{Failures, MOST_OF_IDENTIFIER, Scope};

/// One more failure, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) scope: Scope,
    pub(crate) failures: Failures,
    /// The identifier is one more of those that were tried from the source.
    pub(crate) new_account: bool,
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
    Try(Tried),
    Wait {
        scope: Scope,
        until: DateTime<Utc>,
        /// What is written of the identifier at the source, which gets a turn.
        turn: Option<Failures>,
    },
}

/// It counts as failed until it has succeeded, so that many at the same moment are not all free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) counted: Vec<Counted>,
    /// With this failure strangers begin to wait, or have failed as often as makes it worth telling the owner.
    pub(crate) locks: Option<Failures>,
    /// With this failure it looks as if somebody tried a list of passwords from elsewhere.
    pub(crate) stuffing: Option<Failures>,
}

impl Tried {
    pub(crate) fn is_to_be_told(&self) -> bool {
        self.locks.is_some_and(|failures| failures.count == MOST_OF_IDENTIFIER)
    }
}

impl Counts {
    pub(crate) fn attempt(&self, now: DateTime<Utc>) -> Decision {
        let pair = self.pair.recalled(Scope::Pair, now);
        let identifier = self.identifier.recalled(Scope::Identifier, now).or_at_its_turn(pair);
        let source = self.source.recalled(Scope::Source, now);
        let all = [(Scope::Pair, pair), (Scope::Identifier, identifier), (Scope::Source, source)];
        let asked = if self.at_home { &all[..1] } else { &all[..] };
        let longest = asked.iter().max_by_key(|(_, failures)| failures.blocked_until);
        if let Some((scope, failures)) = longest
            && failures.blocked_until > now
        {
            let turn = if self.at_home { None } else { pair.with_turn(identifier, now) };
            return Decision::Wait { scope: *scope, until: failures.blocked_until, turn };
        }
        let new_here = pair.count == 0 || pair.last < source.since;
        let counted: Vec<Counted> = asked
            .iter()
            .map(|(scope, failures)| {
                let new_account = new_here && *scope == Scope::Source;
                let failures = failures.one_more(*scope, new_account, now);
                Counted { scope: *scope, failures, new_account }
            })
            .collect();
        let of = |scope: Scope| counted.iter().find(|of| of.scope == scope).map(|of| of.failures);
        let locks = of(Scope::Identifier)
            .filter(|failures| [Scope::Identifier.free(), MOST_OF_IDENTIFIER].contains(&failures.count));
        let stuffing = of(Scope::Source).filter(|now| now.is_stuffing() && !source.is_stuffing());
        Decision::Try(Tried { counted, locks, stuffing })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::{
        super::failures::{LONGEST, TURNS},
        *,
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// The counts of a world with one account, tried again and again.
    fn fail(counts: &mut Counts, now: DateTime<Utc>) -> bool {
        let Decision::Try(Tried { counted, .. }) = counts.attempt(now) else { return false };
        for Counted { scope, failures, .. } in counted {
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
            let Decision::Try(Tried { locks, .. }) = counts.attempt(at(0)) else { panic!("{failed}") };
            assert_eq!(locks.is_some(), failed == 20);
            fail(&mut counts, at(0));
        }
        counts.pair = Failures::none(at(0));
        let turn = Failures { turn_at: Some(at(60)), ..Failures::none(at(59)) };
        let wait = Decision::Wait { scope: Scope::Identifier, until: at(60), turn: Some(turn) };
        assert_eq!(counts.attempt(at(59)), wait);
        assert!(matches!(Counts { at_home: true, ..counts }.attempt(at(0)), Decision::Try(_)));
        assert!(matches!(counts.attempt(at(60)), Decision::Try(_)));
    }

    #[test]
    fn one_source_at_many_accounts_is_held_back_and_told_of_once() {
        let mut counts = fresh(false);
        for failed in 1..=50 {
            (counts.pair, counts.identifier) = (Failures::none(at(0)), Failures::none(at(0)));
            let Decision::Try(Tried { stuffing, .. }) = counts.attempt(at(0)) else { panic!("{failed}") };
            let told = stuffing.map(|failures| (failures.count, failures.accounts));
            assert_eq!(told, (failed == 50).then_some((50, 50)));
            fail(&mut counts, at(0));
        }
        (counts.pair, counts.identifier) = (Failures::none(at(0)), Failures::none(at(0)));
        assert_eq!(counts.attempt(at(1)), Decision::Wait { scope: Scope::Source, until: at(60), turn: None });
        assert!(matches!(Counts { at_home: true, ..counts }.attempt(at(1)), Decision::Try(_)));
    }

    /// A source that has failed fifty times at few accounts waits, and is told of when they have become many.
    #[test]
    fn few_accounts_are_no_stuffing() {
        let mut counts = fresh(false);
        let (mut now, mut told) = (0, Vec::new());
        for failed in 1..=60 {
            let accounts = if failed <= 50 { failed.min(5) } else { failed - 45 };
            // Five at which it fails again and again, and then new ones.
            counts.pair = if failed <= 5 || failed > 50 {
                Failures::none(at(now))
            } else {
                Failures { count: 1, last: at(now), ..Failures::none(at(0)) }
            };
            counts.identifier = Failures::none(at(now));
            now = now.max(counts.source.blocked_until.timestamp());
            let Decision::Try(Tried { stuffing, .. }) = counts.attempt(at(now)) else { panic!("{failed}") };
            told.extend(stuffing.map(|failures| (failures.count, failures.accounts)));
            assert!(fail(&mut counts, at(now)));
            assert_eq!(counts.source.accounts, accounts, "{failed}");
        }
        assert_eq!(told, []);
        for _ in 0..10 {
            (counts.pair, counts.identifier) = (Failures::none(at(now)), Failures::none(at(now)));
            now = counts.source.blocked_until.timestamp();
            let Decision::Try(Tried { stuffing, .. }) = counts.attempt(at(now)) else { panic!() };
            told.extend(stuffing.map(|failures| (failures.count, failures.accounts)));
            assert!(fail(&mut counts, at(now)));
        }
        assert_eq!(told, [(65, 20)], "once");
    }

    /// What the release before has blocked for a day is so for a quarter of an hour.
    #[test]
    fn no_stranger_shuts_anybody_out_for_a_day() {
        let day = Failures { count: 50, blocked_until: at(86_400), ..Failures::none(at(0)) };
        let counts = Counts { identifier: day, ..fresh(false) };
        assert!(matches!(counts.attempt(at(899)), Decision::Wait { until, .. } if until == at(900)));
        assert!(matches!(counts.attempt(at(900)), Decision::Try(_)));
        let at_home = Counts { pair: day, at_home: true, ..fresh(true) };
        assert!(matches!(at_home.attempt(at(900)), Decision::Wait { until, .. } if until == at(86_400)));
    }

    /// The failures of this morning at an account make it none of those that are tried now.
    #[test]
    fn an_account_counts_anew_in_another_run() {
        let mut counts = fresh(false);
        fail(&mut counts, at(0));
        fail(&mut counts, at(1));
        assert_eq!((counts.source.count, counts.source.accounts), (2, 1));
        fail(&mut counts, at(7_200));
        assert_eq!((counts.pair.count, counts.source.count, counts.source.accounts), (3, 1, 1));
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let mut counts = fresh(false);
        for _ in 0..5 {
            fail(&mut counts, at(0));
        }
        let Decision::Try(Tried { counted, .. }) = counts.attempt(at(3_600)) else { panic!() };
        let count = |of: Scope| {
            counted.iter().find(|counted| counted.scope == of).map(|counted| counted.failures.count)
        };
        assert_eq!((count(Scope::Pair), count(Scope::Source)), (Some(6), Some(1)));
        let Decision::Try(Tried { counted, .. }) = counts.attempt(at(86_400)) else { panic!() };
        assert!(counted.iter().all(|counted| counted.failures.count == 1));
    }

    proptest! {
        /// However somebody times it: from one source at most 50 failures in a row, from ever new ones that do not come back twenty and
        /// then four an hour, and not more than so many in the first minutes.
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
            let most = if new_source { 20 + 4 + 24 * 4 } else { MOST_OF_IDENTIFIER };
            prop_assert!(tried <= most, "{tried}");
            prop_assert!(early <= 25, "{early} in a quarter of an hour");
        }

        /// Who comes to an account that strangers try from everywhere, from a place where nobody has failed, is told to wait for no more
        /// than a quarter of an hour, and is let in when it is over, whatever the strangers do until then.
        #[test]
        fn strangers_do_not_make_the_owner_wait_again(
            before in prop::collection::vec(0_i64..1_000, 20..80), meanwhile in prop::collection::vec(0_i64..300, 0..60),
        ) {
            let (mut counts, mut now) = (fresh(false), 0);
            let strangers = |counts: &mut Counts, now: i64| {
                (counts.pair, counts.source) = (Failures::none(at(now)), Failures::none(at(now)));
                fail(counts, at(now));
            };
            for wait in before {
                now += wait;
                strangers(&mut counts, now);
            }
            let none = Failures::none(at(now));
            let mut owner = Counts { pair: none, source: none, ..counts };
            let Decision::Wait { until, turn, .. } = owner.attempt(at(now)) else { return Ok(()) };
            prop_assert!(until - at(now) <= LONGEST);
            owner.pair = turn.unwrap();
            for wait in meanwhile {
                now = until.timestamp().min(now + wait);
                strangers(&mut counts, now);
                // To knock again changes nothing.
                owner.identifier = counts.identifier;
                if let Decision::Wait { until: again, turn, .. } = owner.attempt(at(now)) {
                    prop_assert!(again <= until && turn.is_none());
                }
            }
            let let_in = matches!(owner.attempt(until), Decision::Try(_));
            prop_assert!(let_in);
        }

        /// A source that has failed here before waits for the others, however often it comes.
        #[test]
        fn nobody_has_turns_without_end(knocks in prop::collection::vec(1_i64..1_000, 1..200)) {
            let (mut counts, mut now, mut turns) = (fresh(false), 0, 0);
            for wait in knocks {
                now += wait;
                // Others have just failed, from wherever.
                counts.identifier = Failures { count: 40, last: at(now), blocked_until: at(now) + LONGEST, ..Failures::none(at(now)) };
                counts.source = Failures::none(at(now));
                match counts.attempt(at(now)) {
                    Decision::Wait { turn: Some(pair), .. } => counts.pair = pair,
                    Decision::Wait { .. } => {}
                    Decision::Try(_) => {
                        turns += 1;
                        fail(&mut counts, at(now));
                    }
                }
                if now > 80_000 {
                    break;
                }
            }
            prop_assert!(turns <= TURNS, "{turns}");
        }

        /// Nothing that happens elsewhere makes somebody wait who signs in where they did before.
        #[test]
        fn strangers_do_not_shut_the_owner_out(identifier in 0_i32..1000, source in 0_i32..1000, blocked in 0_i64..100_000) {
            let failed = |count| Failures { count, blocked_until: at(blocked), ..Failures::none(at(0)) };
            let counts = Counts { pair: Failures::none(at(0)), identifier: failed(identifier), source: failed(source), at_home: true };
            let free = matches!(counts.attempt(at(0)), Decision::Try(_));
            prop_assert!(free);
        }
    }
}
