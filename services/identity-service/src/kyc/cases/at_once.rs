//! The bank verification number by itself: an application for tier 1 that is decided while the person waits.
//!
//! Steps: who is verified with the number already is told so → the check is counted → the provider is asked, with no transaction open →
//! one transaction locks the person, looks again, has the rules of the country at home decide, and writes the case with what was
//! found, that the person opened it and what was decided of it, each with who, when and why; it stores the number and raises the tier
//! where it was approved. What fits only in part waits for reviewers, as any case does. Where the provider gives no finding nothing is
//! written. A number belongs to one person; that somebody else has it is told only to who matches it.

use common_events::Actor;
use common_utils::ids::UserId;

use super::{
    super::{
        claims::Claims,
        entity::{Bvn, DateOfBirth},
        error::KycError,
        evidence::{EvidenceKind, LookedUp},
        numbers,
        policy::TierPolicy,
        provider::BvnClaim,
    },
    Cases, OnFile,
    decision::Standing,
    entity::{Case, Reason, Status},
    error::CaseError,
    grant::{Proofs, TierEvidence},
    repo::{self, Beside},
    view::CaseView,
};
use crate::{
    SERVICE_NAME,
    allowances::{Allowance, Counted},
    crypto::data_key::Field,
    metrics,
    users::{
        self,
        entity::{TIER_BVN, User},
        error::UserError,
    },
};

/// How a check ended that was not refused.
#[derive(Debug)]
pub(crate) enum Outcome {
    Verified(User),
    VerifiedBefore(User),
    /// The rules alone do not decide it.
    Undecided(User, CaseView),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::VerifiedBefore(_) => "already_verified",
            Self::Undecided(..) => "undecided",
        }
    }
}

impl Cases {
    /// Verifies the person. Who is verified with this number already stays so, and nothing is published again.
    pub(crate) async fn verify_bvn(
        &self,
        id: UserId,
        bvn: Bvn,
        date_of_birth: DateOfBirth,
    ) -> Result<Outcome, KycError> {
        let result = self.check_bvn(id, bvn, date_of_birth).await;
        let outcome = result.as_ref().map_or_else(KycError::outcome, Outcome::name);
        metrics::kyc_checked(outcome);
        tracing::info!(user_id = %id, outcome, "BVN check");
        result
    }

    async fn check_bvn(&self, id: UserId, bvn: Bvn, date_of_birth: DateOfBirth) -> Result<Outcome, KycError> {
        let user = self.users.get(id).await?;
        if !user.is_active() {
            return Err(KycError::Inactive);
        }
        if self.has_bvn(&numbers::find(&self.pool, id).await?, &bvn)? {
            return Ok(Outcome::VerifiedBefore(user));
        }
        let (first_name, last_name) = (user.first_name.clone(), user.last_name.clone());
        let claims =
            Claims { first_name, last_name, bvn: Some(bvn.clone()), nin: None, date_of_birth, address: None };
        let tier = self.policies.home().tier(TIER_BVN).ok_or(CaseError::UnknownTier(TIER_BVN))?;
        let held = self.held_against(id, &claims).await?;
        super::require_claims(tier, &claims, OnFile::of(&held, tier, self.clock.now()))?;
        // Counted before it is asked, so that no two at once count as one.
        let mut op = common_db::begin(&self.pool).await?;
        self.allowances.take_in_op(&mut op, Counted::BvnChecksBy(id), Allowance::BVN_CHECKS).await??;
        op.commit().await?;
        let claim = BvnClaim { bvn, date_of_birth, first_name: user.first_name, last_name: user.last_name };
        let report = self.provider.verify_bvn(&claim).await;
        super::metrics::checked(EvidenceKind::Bvn, report.as_ref().ok().map(|report| report.finding));
        let found = report?.held_against(&claims.whole_name());
        let looked_at = LookedAt { tier, bvn: &claim.bvn, claims: &claims, found: &found };
        let written = match self.write(id, looked_at).await {
            // Another person was verified with the number at the same moment: now the rules see that.
            Err(KycError::BvnTaken) => self.write(id, looked_at).await?,
            written => written?,
        };
        match written {
            Written::Before(user) => Ok(Outcome::VerifiedBefore(user)),
            Written::Decided(case, user) => match case.status {
                Status::Approved => Ok(Outcome::Verified(user)),
                Status::Rejected => Err(rejected(case.reason)),
                _ => Ok(Outcome::Undecided(user, CaseView::of(&case, Some(tier), &[]))),
            },
        }
    }

    /// The case with all that belongs to it, as the rules decide it.
    async fn write(&self, id: UserId, at: LookedAt<'_>) -> Result<Written, KycError> {
        let now = self.clock.now();
        let (mut case, opened) = Case::open(id, self.policies.home().country.clone(), at.tier.tier, now);
        let proofs = self.proofs(&case, at.claims).await?;
        let claims = at.claims.to_bytes().map_err(CaseError::from)?;
        let sealed = self.vault.key(id).await?.seal(&super::place(&case), &claims)?;

        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        let held = numbers::find(&mut *op, id).await?;
        if self.has_bvn(&held, at.bvn)? {
            return Ok(Written::Before(user.into()));
        }
        self.require_same_person(&user, at.claims, &proofs, &held)?;
        let mut evidence = vec![(EvidenceKind::Bvn, Standing::Checked(at.found.checked))];
        if OnFile::of(&held, at.tier, now).nin {
            evidence.push((EvidenceKind::Nin, Standing::OnFile));
        }
        let verdict = self.say_in_op(&mut op, &case, &proofs, &evidence).await?;
        let waits = || CaseError::Corrupt("nothing is left to be looked up".to_owned());
        let step = self.apply(&mut case, verdict)?.ok_or_else(waits)?;
        repo::insert_in_op(&mut op, &case, &sealed).await?;
        let piece = (EvidenceKind::Bvn, case.id.uuid());
        repo::insert_check(&mut *op, case.id, piece, at.found, self.provider.name(), now).await?;
        let by_person = (Actor::user(id), Beside::default());
        self.record_in_op(&mut op, &case, opened, by_person, now).await?;
        let rules = Actor::service(SERVICE_NAME);
        let beside = Beside { name_score: at.found.checked.name_score, note: None };
        self.record_in_op(&mut op, &case, step, (rules.clone(), beside), now).await?;
        if step.to == Status::Approved {
            self.grant_in_op(&mut op, (&case, TierEvidence::BvnAlone), &mut user, &proofs, rules).await?;
        }
        op.commit().await?;
        self.settled(&case, step, "rules");
        Ok(Written::Decided(case, user.into()))
    }

    /// The provider was asked about names that may have been changed meanwhile; and numbers of two people do not join.
    fn require_same_person(
        &self,
        user: &User,
        claims: &Claims,
        proofs: &Proofs,
        held: &numbers::Verified,
    ) -> Result<(), KycError> {
        if !user.is_active() {
            return Err(KycError::Inactive);
        }
        if !claims.name(user) {
            return Err(KycError::NamesChanged);
        }
        match self.contradiction(user.id, proofs, held)? {
            Some(field) => Err(CaseError::OtherThanVerified(field).into()),
            None => Ok(()),
        }
    }

    /// Refuses who is verified with another one.
    fn has_bvn(&self, held: &numbers::Verified, bvn: &Bvn) -> Result<bool, KycError> {
        let Some(stored) = &held.bvn_lookup else { return Ok(false) };
        let same = *stored == self.vault.lookup(Field::Bvn, bvn.digits());
        if same { Ok(true) } else { Err(KycError::OtherBvn) }
    }
}

/// What is to be decided about.
#[derive(Clone, Copy)]
struct LookedAt<'a> {
    tier: &'a TierPolicy,
    bvn: &'a Bvn,
    claims: &'a Claims,
    found: &'a LookedUp,
}

enum Written {
    Before(User),
    Decided(Case, User),
}

fn rejected(reason: Reason) -> KycError {
    match reason {
        Reason::NumberNotFound => KycError::NotFound,
        Reason::NumberTaken => KycError::BvnTaken,
        _ => KycError::Mismatch,
    }
}
