//! Verifying a person. Here: the bank verification number (BVN) by itself, which gives tier 1 at once. `cases` are applications for a
//! tier, `documents` what belongs to them, `reviews` what people decide, `validity` until when a tier holds; `policy` is what a country
//! demands, `names` how names are compared, `provider` who looks things up.
//!
//! Steps: what is stored already → the provider's finding, with no transaction open → one transaction that locks the
//! person, looks again, stores the number, encrypted under the person's own key, raises the tier and publishes `identity.user.verified`,
//! and `identity.user.tier_changed` where the tier is another one. A number belongs to one person; that somebody else has it is
//! told only to who matches it.

pub(crate) mod cases;
mod claims;
pub(crate) mod documents;
pub(crate) mod entity;
pub(crate) mod error;
mod evidence;
mod http_provider;
mod names;
pub(crate) mod numbers;
mod own_keys;
pub(crate) mod policy;
mod provider;
pub(crate) mod repo;
pub(crate) mod reviews;
pub(crate) mod routes;
pub(crate) mod validity;

use std::sync::Arc;

use common_db::PgPool;
use common_events::{Actor, EventContext, contracts::UserVerified};
use common_utils::{clock::SharedClock, ids::UserId};
use zeroize::Zeroizing;

pub use http_provider::HttpKycConfig;

use crate::{
    SERVICE_NAME,
    allowances::{Allowance, Allowances, Counted},
    config::KycPolicyConfig,
    crypto::{
        data_key::{DataKey, Field, Place},
        vault::Vault,
    },
    metrics,
    notices::Notices,
    users::{
        self, Users,
        entity::{TIER_BVN, User},
        error::UserError,
    },
};
use cases::{Cases, grant::born};
use entity::{Bvn, DateOfBirth};
use error::KycError;
pub(crate) use http_provider::HttpKycProvider;
use policy::Policies;
use provider::{BvnClaim, BvnFinding, KycProvider};

/// What a BVN is among the kinds of evidence.
const EVIDENCE: &str = "bank_verification_number";

#[derive(Debug, Clone)]
pub(crate) struct Kyc {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) users: Users,
    pub(crate) provider: Arc<dyn KycProvider>,
    pub(crate) vault: Vault,
    pub(crate) allowances: Allowances,
}

/// A person as the bank needs to know them. Only wallet-service may ask for it.
pub(crate) struct Dossier {
    pub(crate) user: User,
    pub(crate) bvn: Zeroizing<String>,
    pub(crate) date_of_birth: Zeroizing<String>,
}

/// How a check ended well.
enum Verified {
    Now(User),
    Before(User),
}

impl Kyc {
    /// What applications for a tier share with it.
    pub(crate) fn cases(&self, config: &KycPolicyConfig, notices: Notices) -> anyhow::Result<Cases> {
        Ok(Cases {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            users: self.users.clone(),
            vault: self.vault.clone(),
            provider: Arc::clone(&self.provider),
            policies: Arc::new(Policies::load(&config.country, config.dir.as_deref())?),
            allowances: self.allowances.clone(),
            notices,
            wake: Arc::default(),
        })
    }

    /// Verifies the person. Who is verified with this number already stays so, and nothing is published again.
    pub(crate) async fn verify_bvn(
        &self,
        id: UserId,
        bvn: Bvn,
        date_of_birth: DateOfBirth,
    ) -> Result<User, KycError> {
        let result = self.check(id, bvn, date_of_birth).await;
        match &result {
            Ok(Verified::Now(_)) => metrics::kyc_checked("verified"),
            Ok(Verified::Before(_)) => metrics::kyc_checked("already_verified"),
            Err(error) => metrics::kyc_checked(error.outcome()),
        }
        let outcome = result.as_ref().map_or_else(KycError::outcome, |_| "verified");
        tracing::info!(user_id = %id, outcome, "BVN check");
        result.map(|(Verified::Now(user) | Verified::Before(user))| user)
    }

    async fn check(&self, id: UserId, bvn: Bvn, date_of_birth: DateOfBirth) -> Result<Verified, KycError> {
        let user = self.users.get(id).await?;
        if !user.is_active() {
            return Err(KycError::Inactive);
        }
        if let Some(stored) = repo::find(&self.pool, id).await? {
            return self.verified_before(user, &stored, &bvn);
        }
        // Counted before it is asked, so that no two at once count as one.
        let mut op = common_db::begin(&self.pool).await?;
        self.allowances.take_in_op(&mut op, Counted::BvnChecksBy(id), Allowance::BVN_CHECKS).await??;
        op.commit().await?;
        let claim = BvnClaim { bvn, date_of_birth, first_name: user.first_name, last_name: user.last_name };
        match self.provider.verify_bvn(&claim).await? {
            BvnFinding::Match => self.record(id, claim).await,
            BvnFinding::Mismatch => Err(KycError::Mismatch),
            BvnFinding::NotFound => Err(KycError::NotFound),
        }
    }

    async fn record(&self, id: UserId, claim: BvnClaim) -> Result<Verified, KycError> {
        let key = self.vault.key(id).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = users::repo::find_locked_in_op(&mut op, id).await?.ok_or(UserError::NotFound)?;
        if let Some(stored) = repo::find(&mut *op, id).await? {
            return self.verified_before(user, &stored, &claim.bvn);
        }
        if !user.is_active() {
            return Err(KycError::Inactive);
        }
        // The provider was asked about names that may have been changed meanwhile.
        if user.first_name != claim.first_name || user.last_name != claim.last_name {
            return Err(KycError::NamesChanged);
        }
        // They may be verified with a national identification number, which is one person's, born on one day.
        let born = born(&self.vault, Some(&key), id, &numbers::find(&mut *op, id).await?)?;
        if born.is_some_and(|born| *born != claim.date_of_birth.to_string()) {
            return Err(KycError::OtherDateOfBirth);
        }
        let now = self.clock.now();
        let sealed = self.seal(&key, id, &claim)?;
        repo::insert_in_op(&mut op, id, &sealed, self.provider.name(), now).await?;
        let change = user.reach_tier(TIER_BVN);
        users::repo::update_in_op(&mut op, &user, now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(id), now);
        users::publish_in_op(&mut op, &context, &UserVerified((&user).into())).await?;
        if let Some(change) = change {
            users::publish_in_op(&mut op, &context, &user.tier_changed(change, EVIDENCE, now)).await?;
        }
        op.commit().await?;
        Ok(Verified::Now(user))
    }

    fn verified_before(
        &self,
        user: User,
        stored: &repo::Verification,
        bvn: &Bvn,
    ) -> Result<Verified, KycError> {
        let same = stored.bvn_lookup == self.vault.lookup(Field::Bvn, bvn.digits());
        if same { Ok(Verified::Before(user)) } else { Err(KycError::OtherBvn) }
    }

    fn seal(&self, key: &DataKey, id: UserId, claim: &BvnClaim) -> Result<repo::Verification, KycError> {
        let date_of_birth = Zeroizing::new(claim.date_of_birth.to_string());
        Ok(repo::Verification {
            bvn_lookup: self.vault.lookup(Field::Bvn, claim.bvn.digits()).to_vec(),
            bvn: key.seal(&Place::new(id, Field::Bvn), claim.bvn.digits().as_bytes())?,
            date_of_birth: key.seal(&Place::new(id, Field::DateOfBirth), date_of_birth.as_bytes())?,
        })
    }

    pub(crate) async fn dossier(&self, id: UserId) -> Result<Dossier, KycError> {
        let stored = repo::find(&self.pool, id).await?.ok_or(KycError::NotVerified)?;
        let key = self.vault.existing_key(id).await?;
        let read = |field, value: &[u8]| self.vault.open_text(key.as_ref(), &Place::new(id, field), value);
        Ok(Dossier {
            user: self.users.get(id).await?,
            bvn: read(Field::Bvn, &stored.bvn)?,
            date_of_birth: read(Field::DateOfBirth, &stored.date_of_birth)?,
        })
    }
}
