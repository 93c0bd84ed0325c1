//! Which key signs when, and how long each is published. A key is published before it signs, for longer than anybody keeps the
//! published keys, and after it has signed for as long as its last token lives.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Clocks of instances differ, and they look at the plan every few seconds.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// A key and the moment from which on it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    pub kid: String,
    pub signs_from: DateTime<Utc>,
}

/// What a key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and signs later.
    Next,
    Signing,
    /// Its last tokens are still about.
    Verifying {
        until: DateTime<Utc>,
    },
    /// Nothing that it signed is in force any more.
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// By the time from which on they sign.
    keys: Vec<Planned>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("a next key is published already; it signs from {0} on")]
    Pending(DateTime<Utc>),
    #[error("there is no key {0}")]
    Unknown(String),
    #[error("the key {0} signs; rotate first")]
    Signs(String),
}

impl Plan {
    /// One key, which has always signed.
    pub(super) fn of(kid: &str) -> Self {
        Self { keys: vec![Planned { kid: kid.to_owned(), signs_from: DateTime::UNIX_EPOCH }] }
    }

    pub(super) fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.kid.as_str())
    }

    /// What each key does now, where tokens live for `lifetime`.
    pub(super) fn states(
        &self,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = (&Planned, KeyState)> {
        self.keys.iter().enumerate().map(move |(place, key)| {
            let successor = self.keys.get(place + 1);
            let state = match successor {
                Some(next) if next.signs_from <= now => {
                    let until = next.signs_from + lifetime + MARGIN;
                    if now < until { KeyState::Verifying { until } } else { KeyState::Over }
                }
                // Before the first moment of all, the first key signs.
                _ if place == 0 || key.signs_from <= now => KeyState::Signing,
                _ => KeyState::Next,
            };
            (key, state)
        })
    }

    pub(super) fn signing(&self, now: DateTime<Utc>) -> Option<&str> {
        let signs =
            |(key, state): (&'_ Planned, KeyState)| (state == KeyState::Signing).then(|| key.kid.clone());
        let kid = self.states(TimeDelta::zero(), now).find_map(signs)?;
        self.kids().find(|known| *known == kid)
    }

    /// `kid` signs from `signs_from` on.
    pub(super) fn add(
        &mut self,
        kid: &str,
        signs_from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), PlanError> {
        if let Some(last) = self.keys.last().filter(|last| last.signs_from > now) {
            return Err(PlanError::Pending(last.signs_from));
        }
        self.keys.push(Planned { kid: kid.to_owned(), signs_from });
        Ok(())
    }

    /// Nothing that `kid` has signed is believed from now on.
    pub(super) fn remove(&mut self, kid: &str, now: DateTime<Utc>) -> Result<(), PlanError> {
        if self.signing(now) == Some(kid) {
            return Err(PlanError::Signs(kid.to_owned()));
        }
        let before = self.keys.len();
        self.keys.retain(|key| key.kid != kid);
        if self.keys.len() == before { Err(PlanError::Unknown(kid.to_owned())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn states(plan: &Plan, minutes: i64) -> Vec<KeyState> {
        plan.states(LIFETIME, at(minutes)).map(|(_, state)| state).collect()
    }

    #[test]
    fn a_key_is_published_before_and_after_it_signs() {
        let mut plan = Plan::of("a");
        plan.add("b", at(115), at(100)).unwrap();
        let over = at(131);
        for (minutes, expected) in [
            (114, [KeyState::Signing, KeyState::Next]),
            (115, [KeyState::Verifying { until: over }, KeyState::Signing]),
            (130, [KeyState::Verifying { until: over }, KeyState::Signing]),
            (131, [KeyState::Over, KeyState::Signing]),
        ] {
            assert_eq!(states(&plan, minutes), expected, "{minutes}");
            assert_eq!(plan.signing(at(minutes)), Some(if minutes < 115 { "a" } else { "b" }));
        }
    }

    #[test]
    fn one_rotation_at_a_time_and_never_without_a_key() {
        let mut plan = Plan::of("a");
        plan.add("b", at(115), at(100)).unwrap();
        assert_eq!(plan.add("c", at(120), at(110)), Err(PlanError::Pending(at(115))));
        assert_eq!(plan.remove("a", at(110)), Err(PlanError::Signs("a".to_owned())));
        assert_eq!(plan.remove("x", at(110)), Err(PlanError::Unknown("x".to_owned())));
        plan.add("c", at(120), at(116)).unwrap();
        plan.remove("a", at(116)).unwrap();
        assert_eq!(plan.remove("b", at(116)), Err(PlanError::Signs("b".to_owned())));
        assert_eq!(plan.kids().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(Plan::of("a").signing(DateTime::<Utc>::MIN_UTC), Some("a"));
    }
}
