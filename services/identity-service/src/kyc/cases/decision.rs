//! What the rules say of a case, from what was found of its evidence. In this order, the first that fits:
//!
//! 1. something that the tier requires is missing: the person is asked for it;
//! 2. a number does not exist, is somebody else's, or its record has another name: rejected;
//! 3. a document or selfie does not fit: the person is asked for another one;
//! 4. something could not be looked up yet: wait;
//! 5. something fits only in part, or names are only alike: a reviewer decides;
//! 6. the tier is never given by the rules alone: reviewers decide;
//! 7. else approved.
//!
//! What is optional and not there is not missing; what is there is looked at like everything else.

use super::{
    super::{
        evidence::{Checked, EvidenceKind, Finding},
        policy::{NameThresholds, TierPolicy},
    },
    entity::Reason,
};

/// How a piece of evidence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is there, and has not been looked up.
    Unchecked,
    /// The person is verified with it already.
    OnFile,
    Checked(Checked),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    Refer(Reason),
    Ask(Reason, Vec<EvidenceKind>),
    Reject(Reason),
    Wait,
}

/// `evidence` has what is there; each kind once.
pub(crate) fn decide(
    policy: &TierPolicy,
    names: NameThresholds,
    evidence: &[(EvidenceKind, Standing)],
) -> Verdict {
    let missing = missing(policy, |kind| evidence.iter().any(|(there, _)| *there == kind));
    if !missing.is_empty() {
        return Verdict::Ask(Reason::EvidenceMissing, missing);
    }
    let checked = |wanted: fn(EvidenceKind) -> bool| {
        evidence.iter().filter_map(move |(kind, standing)| match standing {
            Standing::Checked(checked) if wanted(*kind) => Some((*kind, *checked)),
            _ => None,
        })
    };
    if let Some(reason) = checked(EvidenceKind::is_number).find_map(|(_, found)| disproof(names, found)) {
        return Verdict::Reject(reason);
    }
    let unfit: Vec<_> = checked(|kind| !kind.is_number())
        .filter(|(_, found)| disproof(names, *found).is_some())
        .map(|(kind, _)| kind)
        .collect();
    if !unfit.is_empty() {
        return Verdict::Ask(Reason::DocumentMismatch, unfit);
    }
    if evidence.iter().any(|(_, standing)| *standing == Standing::Unchecked) {
        return Verdict::Wait;
    }
    if checked(|_| true).any(|(_, found)| is_doubtful(names, found)) {
        return Verdict::Refer(Reason::PartialMatch);
    }
    if policy.always_review { Verdict::Refer(Reason::ReviewRequired) } else { Verdict::Approve }
}

/// One kind of each group that has nothing; a number cannot be sent later, so a document stands for a group that takes one.
pub(crate) fn missing(policy: &TierPolicy, there: impl Fn(EvidenceKind) -> bool) -> Vec<EvidenceKind> {
    let empty = policy.requires.iter().filter(|group| !group.iter().any(|kind| there(*kind)));
    let document = |group: &Vec<EvidenceKind>| group.iter().copied().find(|kind| !kind.is_number());
    empty.filter_map(|group| document(group).or_else(|| group.first().copied())).collect()
}

/// Why the evidence is not this person's, if it is not.
fn disproof(names: NameThresholds, found: Checked) -> Option<Reason> {
    match found.finding {
        Finding::NotFound => Some(Reason::NumberNotFound),
        Finding::Mismatch => Some(Reason::IdentityMismatch),
        Finding::Match | Finding::Partial => {
            found.name_score.is_some_and(|score| score < names.possible).then_some(Reason::IdentityMismatch)
        }
    }
}

fn is_doubtful(names: NameThresholds, found: Checked) -> bool {
    found.finding == Finding::Partial || found.name_score.is_some_and(|score| score < names.same)
}

#[cfg(test)]
mod tests {
    use EvidenceKind::{AddressDocument, Bvn, Nin, Selfie};
    use proptest::prelude::*;

    use super::*;
    use crate::kyc::policy::Policies;

    const NAMES: NameThresholds = NameThresholds { same: 88, possible: 60 };

    fn on(tier: i16, evidence: &[(EvidenceKind, Standing)]) -> Verdict {
        let policies = Policies::load("NG", None).unwrap();
        decide(policies.home().tier(tier).unwrap(), NAMES, evidence)
    }

    fn found(finding: Finding, name_score: Option<u8>) -> Standing {
        Standing::Checked(Checked { finding, name_score })
    }

    const SURE: Standing = Standing::Checked(Checked { finding: Finding::Match, name_score: Some(100) });

    #[test]
    fn what_fits_is_approved_up_to_tier_two_and_reviewed_for_three() {
        assert_eq!(on(1, &[(Nin, SURE)]), Verdict::Approve);
        assert_eq!(on(2, &[(Bvn, Standing::OnFile), (Nin, SURE)]), Verdict::Approve);
        assert_eq!(
            on(3, &[(Bvn, Standing::OnFile), (Nin, SURE), (AddressDocument, SURE)]),
            Verdict::Refer(Reason::ReviewRequired)
        );
    }

    #[test]
    fn what_is_missing_is_asked_for_first() {
        let asked = on(3, &[(Bvn, found(Finding::Mismatch, None)), (Nin, SURE)]);
        assert_eq!(asked, Verdict::Ask(Reason::EvidenceMissing, vec![AddressDocument]));
        assert_eq!(on(1, &[]), Verdict::Ask(Reason::EvidenceMissing, vec![Bvn]));
    }

    #[test]
    fn doubt_goes_to_people_and_disproof_ends_it() {
        let second = |standing| on(2, &[(Bvn, Standing::OnFile), (Nin, standing)]);
        assert_eq!(second(found(Finding::Partial, Some(100))), Verdict::Refer(Reason::PartialMatch));
        assert_eq!(second(found(Finding::Match, Some(87))), Verdict::Refer(Reason::PartialMatch));
        assert_eq!(second(found(Finding::Match, Some(88))), Verdict::Approve);
        assert_eq!(second(found(Finding::Match, Some(59))), Verdict::Reject(Reason::IdentityMismatch));
        assert_eq!(second(found(Finding::Mismatch, None)), Verdict::Reject(Reason::IdentityMismatch));
        assert_eq!(second(found(Finding::NotFound, None)), Verdict::Reject(Reason::NumberNotFound));
        assert_eq!(second(Standing::Unchecked), Verdict::Wait);
    }

    #[test]
    fn a_document_that_does_not_fit_can_be_sent_again() {
        let second = |selfie| on(2, &[(Bvn, Standing::OnFile), (Nin, SURE), (Selfie, selfie)]);
        let again = Verdict::Ask(Reason::DocumentMismatch, vec![Selfie]);
        assert_eq!(second(found(Finding::Mismatch, None)), again);
        assert_eq!(second(found(Finding::Partial, None)), Verdict::Refer(Reason::PartialMatch));
        assert_eq!(second(SURE), Verdict::Approve);
    }

    fn standing() -> impl Strategy<Value = Standing> {
        let score = prop::option::of(0_u8..=100);
        prop_oneof![
            Just(Standing::Unchecked),
            Just(Standing::OnFile),
            (prop::sample::select(&Finding::ALL[..]), score)
                .prop_map(|(finding, score)| found(finding, score)),
        ]
    }

    proptest! {
        /// However the evidence stands: nobody is approved by the rules unless all of it fits beyond doubt, and never for tier three.
        #[test]
        fn the_rules_approve_nothing_that_is_in_doubt(
            tier in 1_i16..=3,
            standings in prop::collection::vec(prop::option::of(standing()), EvidenceKind::ALL.len()),
        ) {
            let evidence: Vec<_> = EvidenceKind::ALL.into_iter().zip(standings)
                .filter_map(|(kind, standing)| Some((kind, standing?)))
                .collect();
            if on(tier, &evidence) == Verdict::Approve {
                prop_assert!(tier < 3);
                let sure = |standing| match standing {
                    Standing::OnFile => true,
                    Standing::Unchecked => false,
                    Standing::Checked(found) => {
                        found.finding == Finding::Match && found.name_score.is_none_or(|score| score >= NAMES.same)
                    }
                };
                prop_assert!(evidence.iter().all(|(_, standing)| sure(*standing)));
                let has = |kind| evidence.iter().any(|(there, _)| *there == kind);
                let enough = if tier == 1 { has(Bvn) || has(Nin) } else { has(Bvn) && has(Nin) };
                prop_assert!(enough);
            }
        }
    }
}
