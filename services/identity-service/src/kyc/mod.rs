//! Verifying a person. `cases` are applications for a tier, among them the bank verification number (BVN) by itself, which gives tier 1 at
//! once (`cases::at_once`); `documents` is what belongs to them, `reviews` what people decide, `validity` until when a tier holds; `policy`
//! is what a country demands, `names` how names are compared, `provider` who looks things up. Here: what the bank needs to know of who
//! is verified.

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
use common_utils::{clock::SharedClock, ids::UserId};
use zeroize::Zeroizing;

pub use http_provider::HttpKycConfig;

use crate::{
    allowances::Allowances,
    config::KycPolicyConfig,
    crypto::{
        data_key::{Field, Place},
        vault::Vault,
    },
    notices::Notices,
    users::{Users, entity::User},
};
use cases::Cases;
use documents::room::Rooms;
use error::KycError;
pub(crate) use http_provider::HttpKycProvider;
use policy::Policies;
use provider::KycProvider;

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
            rooms: Rooms::new(config.upload_mebibytes),
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
