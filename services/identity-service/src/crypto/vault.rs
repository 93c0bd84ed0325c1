//! Where the service gets a person's key from: memory → the stored one, opened by its master key → a new one, wrapped and then stored. Of
//! several that are made at one moment, the first that is stored counts. The master keys may be in another house, so nothing here is
//! called with a transaction open.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use common_db::{Op, PgPool};
use common_utils::{clock::SharedClock, crypto::sealing::Sealer, ids::UserId};
use zeroize::Zeroizing;

use super::{
    cache::KeyCache,
    data_key::{DataKey, Field, Place},
    error::PiiError,
    key_provider::{KeyError, KeyProvider},
    kms::KmsConfig,
    lookup::LookupKey,
    master_keys::MasterKeys,
    repo::{self, Stored},
    unmoved,
};

/// What a wrapped key is bound to, with its person.
const CONTEXT: &[u8] = b"wallet-platform/person-key/v1";

/// The keys of personal data of this deployment.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    pub(super) pool: PgPool,
    pub(super) clock: SharedClock,
    pub(super) masters: Arc<dyn KeyProvider>,
    pub(super) lookup: LookupKey,
    /// Opens what was not moved to people's keys yet.
    unmoved: Option<Sealer>,
    opened: KeyCache,
}

/// Fails when a key is not there that stored data is encrypted or found with. Where data is stored, no key is made: under a new one, nothing
/// could be read and one number be verified twice. It looks at the few master keys, however many people there are.
pub(crate) async fn require_keys(
    pool: &PgPool,
    keys_dir: &Path,
    kms: Option<&KmsConfig>,
) -> anyhow::Result<()> {
    let unknown = "cannot tell which keys are in use";
    unmoved::require(keys_dir, &repo::unmoved_key_id(pool).await.context(unknown)?)?;
    for id in repo::master_key_ids(pool).await.context(unknown)? {
        MasterKeys::require(keys_dir, kms, &id)?;
    }
    Ok(())
}

impl Vault {
    pub(crate) fn new(
        pool: PgPool,
        clock: SharedClock,
        keys_dir: &Path,
        kms: Option<&KmsConfig>,
    ) -> anyhow::Result<Self> {
        let lookup = LookupKey::load_or_create(keys_dir)?;
        let masters = Arc::new(MasterKeys::new(keys_dir, kms)?);
        let unmoved = unmoved::load(keys_dir)?;
        Ok(Self { pool, clock, masters, lookup, unmoved, opened: KeyCache::new() })
    }

    /// The person's key, made at first use. Not to be called with a transaction open.
    pub(crate) async fn key(&self, user: UserId) -> Result<DataKey, PiiError> {
        if let Some(key) = self.existing_key(user).await? {
            return Ok(key);
        }
        let fresh = DataKey::generate(user);
        let wrapped = self.masters.wrap(&context(user), fresh.bytes()).await?;
        if !repo::insert(&self.pool, user, &wrapped, &self.lookup.id, self.clock.now()).await? {
            let retired = anyhow!("the master key {} was retired meanwhile", wrapped.key_id);
            return Err(KeyError::Unavailable(retired).into());
        }
        self.existing_key(user).await?.ok_or(PiiError::Erased)
    }

    /// None: nothing was ever encrypted for this person. Not to be called with a transaction open.
    pub(crate) async fn existing_key(&self, user: UserId) -> Result<Option<DataKey>, PiiError> {
        let now = self.clock.now();
        if let Some(key) = self.opened.get(user, now) {
            return Ok(Some(key));
        }
        let wrapped = match repo::find(&self.pool, user).await? {
            None => return Ok(None),
            Some(Stored::Erased) => return Err(PiiError::Erased),
            Some(Stored::Live(wrapped)) => wrapped,
        };
        let key = DataKey::new(user, self.masters.unwrap(&context(user), &wrapped).await?);
        self.opened.put(user, key.clone(), now);
        Ok(Some(key))
    }

    /// A keyed hash by which a value is found, one for the deployment.
    pub(crate) fn lookup(&self, field: Field, value: &str) -> [u8; 32] {
        self.lookup.hash(field, value)
    }

    /// Reads a value, wherever it stands between the deployment's key and its person's. None for the key: they have none.
    pub(crate) fn open_text(
        &self,
        key: Option<&DataKey>,
        place: &Place,
        stored: &[u8],
    ) -> Result<Zeroizing<String>, PiiError> {
        if stored.first() == Some(&unmoved::VERSION) {
            let sealer = self.unmoved.as_ref().ok_or(PiiError::Damaged)?;
            return unmoved::open(sealer, place.user, place.field, stored);
        }
        key.ok_or(PiiError::Damaged)?.open_text(place, stored)
    }

    /// Deletes the person's key, and with it whatever is encrypted under it; none is made for them again. It waits for who is
    /// writing under it. When the transaction has ended, [`Self::forget`].
    pub(crate) async fn erase_in_op(&self, op: &mut Op, user: UserId) -> Result<(), PiiError> {
        Ok(repo::erase_in_op(op, user, self.clock.now()).await?)
    }

    /// Takes the person's key out of memory; other instances forget it within a minute.
    pub(crate) fn forget(&self, user: UserId) {
        self.opened.forget(user);
    }

    /// Keys that nobody asks for any more leave memory.
    pub(crate) fn forget_old(&self) {
        self.opened.forget_old(self.clock.now());
    }
}

pub(super) fn context(user: UserId) -> Vec<u8> {
    [CONTEXT, user.uuid().as_bytes()].concat()
}
