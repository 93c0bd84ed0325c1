//! Failures in a row, of whatever is counted together: how many are free, how long to wait after the next, and when they are forgotten.

use chrono::{DateTime, TimeDelta, Utc};

/// From so many failures on, a source does not try the identifier for a day, and the owner is told of those of all sources.
pub(super) const MOST_OF_IDENTIFIER: i32 = 50;
/// A source that has failed so often in a row has no turn.
pub(super) const TURNS: i32 = 3;
pub(super) const DAY: TimeDelta = TimeDelta::days(1);
pub(super) const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// Not so many people behind one address forget their passwords without an hour between.
const MANY_ACCOUNTS: i32 = 20;

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
    /// At how many identifiers they were. Counted of a source alone.
    pub(crate) accounts: i32,
    /// When the first of them was.
    pub(crate) since: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    pub(crate) blocked_until: DateTime<Utc>,
    /// From then on the source may try the identifier once, however long others have to wait. Of the two together alone.
    pub(crate) turn_at: Option<DateTime<Utc>>,
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pair => "account_and_source",
            Self::Identifier => "account",
            Self::Source => "source",
        }
    }

    pub(super) fn free(self) -> i32 {
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
        if self == Self::Pair && failures >= MOST_OF_IDENTIFIER {
            return DAY;
        }
        // Ten doublings of a second are longer than the longest.
        let doubled = self.first() * (1 << beyond.min(10));
        doubled.min(LONGEST)
    }
}

impl Failures {
    pub(crate) fn none(now: DateTime<Utc>) -> Self {
        Self { count: 0, accounts: 0, since: now, last: now, blocked_until: now, turn_at: None }
    }

    /// What counts of it now.
    pub(super) fn recalled(self, scope: Scope, now: DateTime<Utc>) -> Self {
        // The release before had strangers wait for a day.
        let blocked_until = self.blocked_until.min(self.last + scope.wait(self.count));
        let over = now - self.last >= scope.memory() && now >= blocked_until;
        if over || self.count == 0 {
            return Self { turn_at: self.turn_at, ..Self::none(now) };
        }
        Self { blocked_until, ..self }
    }

    pub(super) fn one_more(self, scope: Scope, new_account: bool, now: DateTime<Utc>) -> Self {
        let count = self.count.saturating_add(1);
        let accounts = self.accounts.saturating_add(i32::from(new_account));
        Self { count, accounts, last: now, blocked_until: now + scope.wait(count), turn_at: None, ..self }
    }

    /// One of them was none. The wait is that of those which are left: who was counted after it may have been taken back before it.
    pub(crate) fn one_less(self, scope: Scope, new_account: bool) -> Self {
        let count = self.count.saturating_sub(1).max(0);
        let accounts = self.accounts.saturating_sub(i32::from(new_account)).max(0);
        let blocked_until = self.blocked_until.min(self.last + scope.wait(count));
        Self { count, accounts, blocked_until, ..self }
    }

    /// Those of an identifier, for a source that may have a turn.
    pub(super) fn or_at_its_turn(self, pair: Self) -> Self {
        let turn_at = pair.turn_at.unwrap_or(self.blocked_until);
        Self { blocked_until: self.blocked_until.min(turn_at), ..self }
    }

    /// Those of an identifier at a source, which has to wait for the identifier and is to have a turn. None where it has one already,
    /// or had its share.
    pub(super) fn with_turn(self, identifier: Self, now: DateTime<Utc>) -> Option<Self> {
        let waits = identifier.blocked_until > now && self.turn_at.is_none() && self.count < TURNS;
        waits.then_some(Self { turn_at: Some(identifier.blocked_until), ..self })
    }

    /// Whether it is the shape of credential stuffing: the source waits, and has failed at many accounts. Somebody who does not
    /// remember a password, or tries one after the other of one account, is none.
    pub(super) fn is_stuffing(&self) -> bool {
        self.count >= Scope::Source.free() && self.accounts >= MANY_ACCOUNTS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    proptest! {
        /// Sign-ins that succeed leave no wait behind, however many were under way at once and in which order they end.
        #[test]
        fn what_is_taken_back_holds_nobody_back(steps in prop::collection::vec(any::<bool>(), 1..300), failed in 0_i32..50) {
            for scope in [Scope::Pair, Scope::Identifier, Scope::Source] {
                let mut counted = Failures::none(at(0));
                for _ in 0..failed {
                    counted = counted.one_more(scope, true, at(0));
                }
                let (before, mut under_way) = (counted, 0);
                for begins in &steps {
                    if *begins {
                        (counted, under_way) = (counted.one_more(scope, true, at(0)), under_way + 1);
                    } else if under_way > 0 {
                        (counted, under_way) = (counted.one_less(scope, true), under_way - 1);
                    }
                }
                for _ in 0..under_way {
                    counted = counted.one_less(scope, true);
                }
                prop_assert_eq!(counted, before);
            }
        }

        /// A wait ends, and is never longer than a day; a quarter of an hour where strangers could begin it.
        #[test]
        fn every_wait_ends(count in 0_i32..i32::MAX, scope in prop_oneof![Just(Scope::Pair), Just(Scope::Identifier), Just(Scope::Source)]) {
            let wait = scope.wait(count);
            let longest = if scope == Scope::Pair { DAY } else { LONGEST };
            prop_assert!(wait >= TimeDelta::zero() && wait <= longest);
            prop_assert!(scope.wait(count.saturating_add(1)) >= wait, "it only grows");
        }
    }
}
