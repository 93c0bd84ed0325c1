//! A case: somebody's application for a tier, from the day that it is opened to the decision.
//!
//! ```text
//! submitted ──► in_review ──► approved | rejected
//!     │  ▲          │
//!     │  └──────────┼── more_needed ──► expired
//!     └─► approved | rejected | more_needed
//! ```
//! What has ended stays as it ended. Each change says why, and who made it; a case comes to the reviewers in rounds, and only
//! the approvals of the running round count.

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{id_type, ids::UserId};

use super::super::evidence::EvidenceKind;
pub(crate) use super::words::{Action, Reason, Status};

id_type!(/// An application for a tier.
    CaseId);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) id: CaseId,
    pub(crate) user: UserId,
    pub(crate) country: String,
    pub(crate) tier: i16,
    pub(crate) status: Status,
    pub(crate) reason: Reason,
    pub(crate) asked_for: Vec<EvidenceKind>,
    pub(crate) review_round: i32,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
    pub(crate) answer_by: Option<DateTime<Utc>>,
    pub(crate) next_check_at: Option<DateTime<Utc>>,
    pub(crate) attempts: i32,
}

/// A change, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) from: Option<Status>,
    pub(crate) to: Status,
    pub(crate) reason: Reason,
    pub(crate) review_round: i32,
}

/// The case does not stand where this can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a case that is {} takes no {}", .0.name(), .1.name())]
pub(crate) struct NotPossible(pub(crate) Status, pub(crate) Action);

impl Case {
    /// It is looked at at once.
    pub(crate) fn open(user: UserId, country: String, tier: i16, now: DateTime<Utc>) -> (Self, Step) {
        let case = Self {
            id: CaseId::new(),
            user,
            country,
            tier,
            status: Status::Submitted,
            reason: Reason::Received,
            asked_for: Vec::new(),
            review_round: 0,
            opened_at: now,
            changed_at: now,
            answer_by: None,
            next_check_at: Some(now),
            attempts: 0,
        };
        let step = case.step(Action::Open, None);
        (case, step)
    }

    /// What was asked for has come.
    pub(crate) fn resubmit(&mut self, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        let step = self.change(Action::Resubmit, Status::Submitted, Reason::Received, now)?;
        (self.next_check_at, self.attempts) = (Some(now), 0);
        Ok(step)
    }

    pub(crate) fn refer(&mut self, reason: Reason, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        if self.status == Status::InReview {
            return Err(NotPossible(self.status, Action::Refer));
        }
        let round = self.review_round;
        self.review_round = round + 1;
        self.change(Action::Refer, Status::InReview, reason, now).inspect_err(|_| self.review_round = round)
    }

    pub(crate) fn ask(
        &mut self,
        reason: Reason,
        kinds: Vec<EvidenceKind>,
        patience: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Step, NotPossible> {
        let step = self.change(Action::Ask, Status::MoreNeeded, reason, now)?;
        (self.asked_for, self.answer_by) = (kinds, Some(now + patience));
        Ok(step)
    }

    /// One more reviewer says yes; `before` have in this round, of whom `needed` have to.
    pub(crate) fn approve_as_reviewer(
        &mut self,
        reason: Reason,
        before: usize,
        needed: u8,
        now: DateTime<Utc>,
    ) -> Result<Step, NotPossible> {
        if self.status != Status::InReview {
            return Err(NotPossible(self.status, Action::Approve));
        }
        if before + 1 < usize::from(needed) {
            // It waits on, for the next one; since when and why stays as it is.
            let step = self.step(Action::Approve, Some(self.status));
            return Ok(Step { reason, ..step });
        }
        self.change(Action::Approve, Status::Approved, reason, now)
    }

    /// The rules say yes.
    pub(crate) fn approve(&mut self, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        if self.status != Status::Submitted {
            return Err(NotPossible(self.status, Action::Approve));
        }
        self.change(Action::Approve, Status::Approved, Reason::RequirementsMet, now)
    }

    pub(crate) fn reject(&mut self, reason: Reason, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        self.change(Action::Reject, Status::Rejected, reason, now)
    }

    pub(crate) fn expire(&mut self, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        self.change(Action::Expire, Status::Expired, Reason::NotAnswered, now)
    }

    fn change(
        &mut self,
        action: Action,
        next: Status,
        reason: Reason,
        now: DateTime<Utc>,
    ) -> Result<Step, NotPossible> {
        if !self.status.may_become(next) {
            return Err(NotPossible(self.status, action));
        }
        let from = self.status;
        (self.status, self.reason, self.changed_at) = (next, reason, now);
        (self.answer_by, self.next_check_at) = (None, None);
        self.asked_for.clear();
        Ok(self.step(action, Some(from)))
    }

    fn step(&self, action: Action, from: Option<Status>) -> Step {
        let (to, reason, review_round) = (self.status, self.reason, self.review_round);
        Step { action, from, to, reason, review_round }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn case() -> Case {
        Case::open(UserId::new(), "NG".to_owned(), 3, at(0)).0
    }

    #[test]
    fn two_reviewers_approve_what_needs_two() {
        let mut case = case();
        case.refer(Reason::ReviewRequired, at(1)).unwrap();
        let first = case.approve_as_reviewer(Reason::RequirementsMet, 0, 2, at(2)).unwrap();
        assert_eq!((first.from, first.to), (Some(Status::InReview), Status::InReview));
        assert_eq!((case.changed_at, case.reason), (at(1), Reason::ReviewRequired), "it waits on");
        let second = case.approve_as_reviewer(Reason::RequirementsMet, 1, 2, at(3)).unwrap();
        assert_eq!((second.to, second.review_round), (Status::Approved, 1));
    }

    #[test]
    fn who_is_asked_for_more_has_a_time_and_then_a_new_round() {
        let mut case = case();
        case.refer(Reason::PartialMatch, at(1)).unwrap();
        let patience = TimeDelta::days(30);
        case.ask(Reason::DocumentOutdated, vec![EvidenceKind::AddressDocument], patience, at(2)).unwrap();
        assert_eq!((case.answer_by, case.next_check_at), (Some(at(32)), None));
        case.resubmit(at(3)).unwrap();
        assert_eq!((case.answer_by, case.next_check_at), (None, Some(at(3))));
        assert!(case.asked_for.is_empty());
        assert_eq!(case.refer(Reason::ReviewRequired, at(4)).unwrap().review_round, 2);
    }

    fn attempt(case: &mut Case, what: u8, now: DateTime<Utc>) -> Result<Step, NotPossible> {
        match what {
            0 => case.resubmit(now),
            1 => case.refer(Reason::PartialMatch, now),
            2 => case.ask(Reason::EvidenceMissing, vec![EvidenceKind::Selfie], TimeDelta::days(1), now),
            3 => case.approve(now),
            4 => case.approve_as_reviewer(Reason::RequirementsMet, 0, 1, now),
            5 => case.reject(Reason::Other, now),
            _ => case.expire(now),
        }
    }

    proptest! {
        /// Whatever is tried in whatever order: what has ended stays, a refusal changes nothing, each change is told as it was,
        /// a case is due exactly while the rules look at it and waits for the person exactly while they are asked, and nobody is
        /// approved but by the rules from `submitted` or by a reviewer from `in_review`.
        #[test]
        fn no_order_of_attempts_breaks_a_case(attempts in prop::collection::vec(0_u8..7, 0..40)) {
            let mut case = case();
            for (day, what) in (1..).zip(attempts) {
                let before = case.clone();
                match attempt(&mut case, what, at(day)) {
                    Err(_) => prop_assert_eq!(&case, &before),
                    Ok(step) => {
                        prop_assert!(!before.status.has_ended());
                        prop_assert_eq!((step.from, step.to), (Some(before.status), case.status));
                        if case.status == Status::Approved {
                            let by_rules = before.status == Status::Submitted && what == 3;
                            prop_assert!(by_rules || (before.status == Status::InReview && what == 4));
                        }
                        let more_rounds = case.review_round - before.review_round;
                        prop_assert_eq!(more_rounds, i32::from(what == 1));
                    }
                }
                prop_assert_eq!(case.next_check_at.is_some(), case.status == Status::Submitted);
                prop_assert_eq!(case.answer_by.is_some(), case.status == Status::MoreNeeded);
                prop_assert_eq!(case.asked_for.is_empty(), case.status != Status::MoreNeeded);
            }
        }
    }
}
