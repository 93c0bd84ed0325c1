//! All master keys of a deployment together: those in files, and where one is configured, those of a key management service, which then
//! wraps. What was wrapped before stays readable, so a deployment can move from files to a service by rewrapping.

use std::path::Path;

use anyhow::ensure;
use async_trait::async_trait;

use super::{
    file_keys::{self, FileKeys},
    key_provider::{KeyBytes, KeyError, KeyProvider, WrappedKey},
    kms::{self, Kms, KmsConfig},
    lookup::LookupKey,
};
use crate::metrics;

#[derive(Debug)]
pub(super) struct MasterKeys {
    files: FileKeys,
    kms: Option<Kms>,
}

impl MasterKeys {
    pub(super) fn new(keys_dir: &Path, kms: Option<&KmsConfig>) -> anyhow::Result<Self> {
        let Some(kms) = kms else {
            return Ok(Self { files: FileKeys::load_or_create(keys_dir)?, kms: None });
        };
        Ok(Self { files: FileKeys::load(keys_dir)?, kms: Some(Kms::new(kms.clone())?) })
    }

    /// Fails unless the key with this id is among those that this deployment is configured with. Makes none.
    pub(super) fn require(keys_dir: &Path, kms: Option<&KmsConfig>, id: &str) -> anyhow::Result<()> {
        if id.starts_with(file_keys::ID_PREFIX) {
            return FileKeys::require(keys_dir, id);
        }
        if id.starts_with(kms::ID_PREFIX) {
            let ours = kms.is_some_and(|config| Kms::owns(&config.key, id));
            ensure!(
                ours,
                "personal data is encrypted under {id}: configure PII_KMS_URL and PII_KMS_KEY for it"
            );
            return Ok(());
        }
        LookupKey::require(keys_dir, id)
    }

    fn wrapping(&self) -> &dyn KeyProvider {
        self.kms.as_ref().map_or(&self.files, |kms| kms)
    }

    fn of(&self, id: &str) -> Result<&dyn KeyProvider, KeyError> {
        if id.starts_with(file_keys::ID_PREFIX) {
            return Ok(&self.files);
        }
        let kms = self.kms.as_ref().filter(|kms| Kms::owns(kms.key(), id));
        kms.map(|kms| kms as &dyn KeyProvider).ok_or_else(|| KeyError::Unknown(id.to_owned()))
    }
}

fn counted<T>(operation: &'static str, result: Result<T, KeyError>) -> Result<T, KeyError> {
    let outcome = match &result {
        Ok(_) => "ok",
        Err(KeyError::Unavailable(_)) => "unavailable",
        Err(KeyError::Unknown(_) | KeyError::Damaged) => "refused",
    };
    metrics::master_key_called(operation, outcome);
    result
}

#[async_trait]
impl KeyProvider for MasterKeys {
    async fn wrap(&self, context: &[u8], key: &KeyBytes) -> Result<WrappedKey, KeyError> {
        counted("wrap", self.wrapping().wrap(context, key).await)
    }

    async fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<KeyBytes, KeyError> {
        let opened = match self.of(&wrapped.key_id) {
            Ok(provider) => provider.unwrap(context, wrapped).await,
            Err(error) => Err(error),
        };
        counted("unwrap", opened)
    }

    async fn current_key_id(&self) -> Result<String, KeyError> {
        self.wrapping().current_key_id().await
    }

    async fn held(&self) -> Result<Vec<String>, KeyError> {
        let mut held = self.files.held().await?;
        if let Some(kms) = &self.kms {
            held.extend(kms.held().await?);
        }
        Ok(held)
    }

    async fn rotate(&self) -> Result<String, KeyError> {
        self.wrapping().rotate().await
    }

    async fn remove(&self, key_id: &str) -> Result<(), KeyError> {
        self.of(key_id)?.remove(key_id).await
    }
}
