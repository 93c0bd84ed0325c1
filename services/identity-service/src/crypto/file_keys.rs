//! Master keys in files of `KEYS_DIR`: `pii.key`, made on first start, and its successors `pii_keys/<id>.key`. `pii_keys/current` names the one
//! that wraps; without it, the first does. The folder is one for all instances, which look at it before they wrap and when they
//! meet an id that they do not know: a rotation needs no restart.

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use common_utils::crypto::sealing::{KeyFile, SealError, Sealer};
use zeroize::Zeroizing;

use super::key_provider::{KeyBytes, KeyError, KeyProvider, WrappedKey};

pub(super) const FIRST_FILE: &str = "pii.key";
pub(super) const ID_PREFIX: &str = "file:";
const FOLDER: &str = "pii_keys";
const CURRENT: &str = "current";
const PURPOSE: &str = "wallet-platform/pii-wrap/v1";

#[derive(Debug, Clone)]
pub(super) struct FileKeys {
    keys_dir: PathBuf,
    ring: Arc<RwLock<Arc<Ring>>>,
}

#[derive(Debug)]
struct Ring {
    current: String,
    sealers: HashMap<String, Sealer>,
}

impl FileKeys {
    /// Makes the first key if there is none at all.
    pub(super) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        if !current_file(keys_dir).try_exists()? {
            KeyFile::load_or_create(&keys_dir.join(FIRST_FILE))?;
        }
        let ring = Arc::new(RwLock::new(Arc::new(Ring::read(keys_dir)?)));
        Ok(Self { keys_dir: keys_dir.to_owned(), ring })
    }

    /// Fails unless the key with this id is here. Makes none.
    pub(super) fn require(keys_dir: &Path, id: &str) -> anyhow::Result<()> {
        let first = keys_dir.join(FIRST_FILE);
        let sealers = Ring::read_keys(keys_dir)?;
        let remedy = format!(
            "put back the files of personal data ({FIRST_FILE} and {FOLDER}/) from the backup or another instance"
        );
        if sealers.contains_key(id) {
            return Ok(());
        }
        ensure!(first.try_exists()?, "{} is missing, or a successor: {remedy}", first.display());
        anyhow::bail!("{} holds another key, and no successor is {id}: {remedy}", first.display())
    }

    async fn reload(&self) -> Result<Arc<Ring>, KeyError> {
        let keys_dir = self.keys_dir.clone();
        let read = tokio::task::spawn_blocking(move || Ring::read(&keys_dir)).await;
        let ring = Arc::new(
            read.map_err(|error| KeyError::Unavailable(error.into()))?.map_err(KeyError::Unavailable)?,
        );
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        Ok(ring)
    }

    fn known(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn wrap(&self, context: &[u8], key: &KeyBytes) -> Result<WrappedKey, KeyError> {
        let ring = self.reload().await?;
        let sealer = ring.sealer(&ring.current)?;
        let bytes = sealer.seal(context, key.as_slice()).map_err(|_| KeyError::Damaged)?;
        Ok(WrappedKey { key_id: ring.current.clone(), bytes })
    }

    async fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<KeyBytes, KeyError> {
        let mut ring = self.known();
        if !ring.sealers.contains_key(&wrapped.key_id) {
            ring = self.reload().await?;
        }
        let opened = ring.sealer(&wrapped.key_id)?.open(context, &wrapped.bytes);
        let plain = opened.map_err(|error| match error {
            SealError::OtherKey => KeyError::Unknown(wrapped.key_id.clone()),
            SealError::Damaged => KeyError::Damaged,
        })?;
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| KeyError::Damaged)?))
    }

    async fn current_key_id(&self) -> Result<String, KeyError> {
        Ok(self.reload().await?.current.clone())
    }
}

impl Ring {
    fn read(keys_dir: &Path) -> anyhow::Result<Self> {
        let sealers = Self::read_keys(keys_dir)?;
        let path = current_file(keys_dir);
        let current = match fs::read_to_string(&path) {
            Ok(id) => id,
            Err(error) if error.kind() == ErrorKind::NotFound => id_of(&sealer(&keys_dir.join(FIRST_FILE))?),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        ensure!(sealers.contains_key(&current), "{} names a key that is not there", path.display());
        Ok(Self { current, sealers })
    }

    fn read_keys(keys_dir: &Path) -> anyhow::Result<HashMap<String, Sealer>> {
        let mut sealers = HashMap::new();
        for path in key_files(keys_dir)? {
            let sealer = sealer(&path)?;
            sealers.insert(id_of(&sealer), sealer);
        }
        Ok(sealers)
    }

    fn sealer(&self, id: &str) -> Result<&Sealer, KeyError> {
        self.sealers.get(id).ok_or_else(|| KeyError::Unknown(id.to_owned()))
    }
}

fn current_file(keys_dir: &Path) -> PathBuf {
    keys_dir.join(FOLDER).join(CURRENT)
}

/// The first key, if it was not retired, and its successors.
fn key_files(keys_dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![keys_dir.join(FIRST_FILE)];
    let folder = keys_dir.join(FOLDER);
    if folder.try_exists()? {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "key") {
                files.push(path);
            }
        }
    }
    files.retain(|path| path.exists());
    Ok(files)
}

fn sealer(path: &Path) -> anyhow::Result<Sealer> {
    let key = Zeroizing::new(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    let key = KeyFile::new(key.as_slice()).with_context(|| format!("cannot use {}", path.display()))?;
    Sealer::new(&key, PURPOSE)
}

fn id_of(sealer: &Sealer) -> String {
    format!("{ID_PREFIX}{}", hex::encode(sealer.id()))
}
