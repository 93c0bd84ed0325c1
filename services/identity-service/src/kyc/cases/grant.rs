//! What an approved case gives: its numbers are the person's from now on, the tier is reached, and holds until its date. Numbers that the
//! person is verified with already, and their date of birth, stay theirs: a case that names others is another person's.

use common_db::Op;
use common_events::{
    Actor, EventContext,
    contracts::{UserUpdated, UserVerified},
};
use common_limits::HIGHEST_TIER;
use common_utils::ids::UserId;
use zeroize::Zeroizing;

use super::{
    super::{
        claims::Claims,
        entity::DateOfBirth,
        numbers::{self, VerifiedBy},
        validity,
    },
    Cases,
    entity::Case,
    error::CaseError,
};
use crate::{
    SERVICE_NAME,
    crypto::{
        data_key::{DataKey, Field, Place},
        error::PiiError,
        vault::Vault,
    },
    users::{self, LockedUser},
};

/// What changed a tier, in its event.
#[derive(Debug, Clone, Copy)]
pub(super) enum TierEvidence {
    BvnAlone,
    Case,
}

impl TierEvidence {
    fn name(self) -> &'static str {
        match self {
            Self::BvnAlone => "bank_verification_number",
            Self::Case => "kyc_case",
        }
    }
}

/// By whom a number was verified that people decided about: the provider may have said nothing of it.
const REVIEWERS: &str = "reviewers";

/// The numbers of a case as they are kept: encrypted before a transaction is open.
#[derive(Debug)]
pub(crate) struct Proofs {
    bvn: Option<numbers::Bvn>,
    nin: Option<numbers::Nin>,
    date_of_birth: DateOfBirth,
    /// The person's.
    key: DataKey,
}

impl Cases {
    /// The field of what the case names otherwise than the person is verified with.
    pub(in crate::kyc) fn contradiction(
        &self,
        user: UserId,
        proofs: &Proofs,
        held: &numbers::Verified,
    ) -> Result<Option<&'static str>, CaseError> {
        let other = |held: &Option<Vec<u8>>, told: Option<&Vec<u8>>| {
            held.as_ref().zip(told).is_some_and(|(held, told)| held != told)
        };
        if other(&held.bvn_lookup, proofs.bvn.as_ref().map(|bvn| &bvn.lookup)) {
            return Ok(Some("bvn"));
        }
        if other(&held.nin_lookup, proofs.nin.as_ref().map(|nin| &nin.lookup)) {
            return Ok(Some("nin"));
        }
        let born = born(&self.vault, Some(&proofs.key), user, held)?;
        let other = born.is_some_and(|born| *born != proofs.date_of_birth.to_string());
        Ok(other.then_some("dateOfBirth"))
    }

    pub(crate) async fn proofs(&self, case: &Case, claims: &Claims) -> Result<Proofs, CaseError> {
        let (user, key) = (case.user, self.vault.key(case.user).await?);
        let born = claims.date_of_birth.to_string();
        let bvn = claims.bvn.as_ref().map(|bvn| {
            Ok::<_, CaseError>(numbers::Bvn {
                lookup: self.vault.lookup(Field::Bvn, bvn.digits()).to_vec(),
                sealed: key.seal(&Place::new(user, Field::Bvn), bvn.digits().as_bytes())?,
                date_of_birth: key.seal(&Place::new(user, Field::DateOfBirth), born.as_bytes())?,
            })
        });
        let nin = claims.nin.as_ref().map(|nin| {
            Ok::<_, CaseError>(numbers::Nin {
                lookup: self.vault.lookup(Field::Nin, nin.digits()).to_vec(),
                sealed: key.seal(&Place::new(user, Field::Nin), nin.digits().as_bytes())?,
                date_of_birth: key.seal(&Place::new(user, Field::DateOfBirth), born.as_bytes())?,
            })
        });
        let (bvn, nin) = (bvn.transpose()?, nin.transpose()?);
        Ok(Proofs { bvn, nin, date_of_birth: claims.date_of_birth, key })
    }

    /// Whether a number of the case is another person's.
    pub(crate) async fn is_taken_in_op(
        &self,
        op: &mut Op,
        case: &Case,
        proofs: &Proofs,
    ) -> Result<bool, CaseError> {
        let bvn = proofs.bvn.as_ref().map(|bvn| bvn.lookup.as_slice());
        let nin = proofs.nin.as_ref().map(|nin| nin.lookup.as_slice());
        Ok(numbers::are_taken_in_op(op, case.user, bvn, nin).await?)
    }

    pub(super) async fn grant_in_op(
        &self,
        op: &mut Op,
        (case, evidence): (&Case, TierEvidence),
        user: &mut LockedUser,
        proofs: &Proofs,
        by: Actor,
    ) -> Result<(), CaseError> {
        let now = self.clock.now();
        let by_people = by.parts().0 == "staff";
        let provider = if by_people { REVIEWERS } else { self.provider.name() };
        let verified = VerifiedBy { provider, case: case.id, now };
        let mut identified = false;
        if let Some(bvn) = &proofs.bvn {
            identified = numbers::upsert_bvn_in_op(op, user.id, bvn, verified).await?;
        }
        if let Some(nin) = &proofs.nin {
            numbers::upsert_nin_in_op(op, user.id, nin, verified).await?;
        }
        // What is good for a tier is good for those below.
        let policy = self.policy_of(&case.country)?;
        for tier in policy.tiers.iter().filter(|tier| tier.tier <= case.tier.min(HIGHEST_TIER)) {
            let dates = tier.validity.map(|validity| validity.from(now));
            validity::repo::upsert_in_op(op, case, tier.tier, dates, now).await?;
        }
        let change = user.reach_tier(case.tier);
        users::repo::update_in_op(op, user).await?;
        // Who has a bank verification number from now on gets an account number by this event.
        if identified {
            user.publish_in_op(op, by.clone(), UserVerified).await?;
        } else if change.is_some() {
            user.publish_in_op(op, by.clone(), UserUpdated).await?;
        }
        if let Some(change) = change {
            let context = EventContext::new(SERVICE_NAME, by, user.at());
            users::publish_in_op(op, &context, &user.tier_changed(change, evidence.name())).await?;
        }
        Ok(())
    }
}

/// The date of birth that the person is verified with.
pub(in crate::kyc) fn born(
    vault: &Vault,
    key: Option<&DataKey>,
    user: UserId,
    held: &numbers::Verified,
) -> Result<Option<Zeroizing<String>>, PiiError> {
    let place = Place::new(user, Field::DateOfBirth);
    held.date_of_birth.as_ref().map(|stored| vault.open_text(key, &place, stored)).transpose()
}
