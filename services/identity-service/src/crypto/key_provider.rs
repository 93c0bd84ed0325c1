//! The port to whoever holds the master keys, under which people's keys are wrapped.

use std::fmt::Debug;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub(crate) const KEY_BYTES: usize = 32;

/// A key as it is in memory while it is used.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// A key as it is stored, with the name of the master key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    pub(crate) key_id: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// Down, too slow, or unwilling. Asking again is safe.
    #[error("the master keys cannot be reached: {0:#}")]
    Unavailable(anyhow::Error),
    #[error("the master key {0} is not here")]
    Unknown(String),
    #[error("a wrapped key is damaged, or somebody else's")]
    Damaged,
}

#[async_trait]
pub(crate) trait KeyProvider: Debug + Send + Sync {
    /// Wraps under the current master key. Only with the same `context` is it opened again.
    async fn wrap(&self, context: &[u8], key: &KeyBytes) -> Result<WrappedKey, KeyError>;

    async fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<KeyBytes, KeyError>;

    /// The master key under which keys are wrapped now.
    async fn current_key_id(&self) -> Result<String, KeyError>;

    /// The master keys that are known to be here, the current one among them.
    async fn held(&self) -> Result<Vec<String>, KeyError>;

    /// Makes a new master key, which wraps from now on; those before it still open. Gives its id.
    async fn rotate(&self) -> Result<String, KeyError>;

    /// Lets a key go that nothing is wrapped under, where it is ours to let go. Without effect on one that is gone.
    async fn remove(&self, key_id: &str) -> Result<(), KeyError>;
}
