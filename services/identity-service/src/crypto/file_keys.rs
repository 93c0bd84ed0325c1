//! Master keys in files of `KEYS_DIR`: `pii.key`, made on first start, and its successors `pii_keys/<id>.key`. `pii_keys/current` names the one
//! that wraps; without it, the first does. The folder is one for all instances, which look at it before they wrap and when they
//! meet an id that they do not know: a rotation needs no restart.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use common_utils::{
    crypto::sealing::{KeyFile, SealError, Sealer},
    secret_file,
};
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
    /// None where the key that wrapped is not there any more.
    current: Option<String>,
    sealers: HashMap<String, Sealer>,
}

impl FileKeys {
    /// Makes the first key if there is none at all.
    pub(super) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        if !current_file(keys_dir).try_exists()? {
            KeyFile::load_or_create(&keys_dir.join(FIRST_FILE))?;
        }
        let keys = Self::load(keys_dir)?;
        ensure!(keys.known().current.is_some(), "the key that {FOLDER}/{CURRENT} names is not there");
        Ok(keys)
    }

    /// Where something else wraps there may be none.
    pub(super) fn load(keys_dir: &Path) -> anyhow::Result<Self> {
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

    /// Changes the files, one operator after the other.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Path) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, KeyError> {
        let keys_dir = self.keys_dir.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let _alone = lock(&keys_dir)?;
            change(&keys_dir)
        });
        let changed = changed.await.map_err(|error| KeyError::Unavailable(error.into()))?;
        let changed = changed.map_err(KeyError::Unavailable)?;
        self.reload().await?;
        Ok(changed)
    }

    fn known(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn wrap(&self, context: &[u8], key: &KeyBytes) -> Result<WrappedKey, KeyError> {
        let ring = self.reload().await?;
        let (id, sealer) = ring.current()?;
        let bytes = sealer.seal(context, key.as_slice()).map_err(|_| KeyError::Damaged)?;
        Ok(WrappedKey { key_id: id.to_owned(), bytes })
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
        Ok(self.reload().await?.current()?.0.to_owned())
    }

    async fn held(&self) -> Result<Vec<String>, KeyError> {
        Ok(self.reload().await?.sealers.keys().cloned().collect())
    }

    async fn rotate(&self) -> Result<String, KeyError> {
        self.change(make_successor).await
    }

    async fn remove(&self, key_id: &str) -> Result<(), KeyError> {
        let id = key_id.to_owned();
        self.change(move |keys_dir| remove(keys_dir, &id)).await
    }
}

impl Ring {
    fn read(keys_dir: &Path) -> anyhow::Result<Self> {
        let sealers = Self::read_keys(keys_dir)?;
        let path = current_file(keys_dir);
        let current = match fs::read_to_string(&path) {
            Ok(id) => Some(id),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let first = keys_dir.join(FIRST_FILE);
                if first.try_exists()? { Some(id_of(&sealer(&first)?)) } else { None }
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { current: current.filter(|id| sealers.contains_key(id)), sealers })
    }

    fn read_keys(keys_dir: &Path) -> anyhow::Result<HashMap<String, Sealer>> {
        let mut sealers = HashMap::new();
        for path in key_files(keys_dir)? {
            let sealer = sealer(&path)?;
            sealers.insert(id_of(&sealer), sealer);
        }
        Ok(sealers)
    }

    fn current(&self) -> Result<(&str, &Sealer), KeyError> {
        let id = self.current.as_deref().ok_or_else(|| KeyError::Unknown(CURRENT.to_owned()))?;
        Ok((id, self.sealer(id)?))
    }

    fn sealer(&self, id: &str) -> Result<&Sealer, KeyError> {
        self.sealers.get(id).ok_or_else(|| KeyError::Unknown(id.to_owned()))
    }
}

fn lock(keys_dir: &Path) -> anyhow::Result<File> {
    let folder = keys_dir.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// The key is there before it is named: whoever reads the name finds it.
fn make_successor(keys_dir: &Path) -> anyhow::Result<String> {
    let key = Zeroizing::new(rand::random::<[u8; 32]>());
    let id = id_of(&Sealer::new(&KeyFile::new(*key)?, PURPOSE)?);
    secret_file::load_or_create(&successor_file(keys_dir, &id), || Ok(key.to_vec()))?;
    let path = current_file(keys_dir);
    let draft = path.with_extension("draft");
    let write = || {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(id.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(id)
}

fn remove(keys_dir: &Path, id: &str) -> anyhow::Result<()> {
    for path in key_files(keys_dir)? {
        if id_of(&sealer(&path)?) == id {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn successor_file(keys_dir: &Path, id: &str) -> PathBuf {
    keys_dir.join(FOLDER).join(format!("{}.key", id.trim_start_matches(ID_PREFIX)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeyBytes {
        Zeroizing::new([9; 32])
    }

    #[tokio::test]
    async fn successors_wrap_and_their_predecessors_still_open() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) =
            (FileKeys::load_or_create(dir.path()).unwrap(), FileKeys::load_or_create(dir.path()).unwrap());
        let before = ours.wrap(b"ada", &key()).await.unwrap();
        let id = ours.rotate().await.unwrap();
        assert_ne!(id, before.key_id);
        // Another instance, which has heard of nothing.
        let after = other.wrap(b"ada", &key()).await.unwrap();
        assert_eq!((&after.key_id, other.current_key_id().await.unwrap()), (&id, id.clone()));
        for wrapped in [&before, &after] {
            assert_eq!(ours.unwrap(b"ada", wrapped).await.unwrap(), key());
            assert!(matches!(ours.unwrap(b"bola", wrapped).await, Err(KeyError::Damaged)));
        }
        let mode = fs::metadata(successor_file(dir.path(), &id)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);

        ours.remove(&before.key_id).await.unwrap();
        ours.remove(&before.key_id).await.unwrap();
        assert!(!dir.path().join(FIRST_FILE).exists());
        assert!(matches!(ours.unwrap(b"ada", &before).await, Err(KeyError::Unknown(_))));
        let started = FileKeys::load_or_create(dir.path()).unwrap();
        assert_eq!(started.unwrap(b"ada", &after).await.unwrap(), key());
        assert!(!dir.path().join(FIRST_FILE).exists(), "no first key is made again");
    }

    #[tokio::test]
    async fn keys_that_must_be_there_are_looked_for_and_not_made() {
        let (dir, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let keys = FileKeys::load_or_create(dir.path()).unwrap();
        let first = keys.current_key_id().await.unwrap();
        let second = keys.rotate().await.unwrap();
        for id in [&first, &second] {
            FileKeys::require(dir.path(), id).unwrap();
            let missing = FileKeys::require(empty.path(), id).unwrap_err();
            assert!(missing.to_string().contains("is missing"), "{missing}");
        }
        assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
        fs::remove_file(successor_file(dir.path(), &second)).unwrap();
        let lost = FileKeys::require(dir.path(), &second).unwrap_err();
        assert!(lost.to_string().contains(&second), "{lost}");
        assert!(FileKeys::load_or_create(dir.path()).is_err(), "the key that wraps is lost");
    }
}
