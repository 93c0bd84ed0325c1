//! The public keys of all services, as they lie in the folder: one folder a service, by its name, and in it the file that its key
//! ring publishes. They are read again when the files differ, which is looked at from time to time and whenever a token names a key
//! that is not known, so a key that was just made is known at once. A token never makes a path: it names a key, and nothing else.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::Context;
use jsonwebtoken::DecodingKey;

use crate::{jwks::PublicKey, signing::PUBLIC_FILE};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A key, and the services that publish it: one, as long as nobody copies another's file.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) key: DecodingKey,
    pub(super) services: Vec<String>,
}

pub(super) struct KnownKeys {
    folder: PathBuf,
    read: RwLock<Arc<Read>>,
    /// None before the first time.
    looked: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Read {
    /// Only those that could be read: others are tried again at the next look.
    files: Vec<Published>,
    keys: HashMap<String, Known>,
}

/// The file of one service, and what tells that it was replaced.
#[derive(PartialEq, Eq)]
struct Published {
    service: String,
    path: PathBuf,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl KnownKeys {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: RwLock::default(), looked: Mutex::new(None) }
    }

    pub(super) fn find(&self, kid: &str) -> Option<Known> {
        self.look_if_due();
        self.known(kid).or_else(|| {
            self.look();
            self.known(kid)
        })
    }

    fn known(&self, kid: &str) -> Option<Known> {
        self.read.read().unwrap_or_else(PoisonError::into_inner).keys.get(kid).cloned()
    }

    fn look_if_due(&self) {
        // Whoever comes while another looks goes on with what is known.
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        self.look();
    }

    fn look(&self) {
        match self.read_anew() {
            Ok(Some(new)) => *self.read.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new),
            Ok(None) => {}
            // What was read before goes on to be believed.
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the keys of other services cannot be read");
            }
        }
    }

    /// None when the files are those that were read.
    fn read_anew(&self) -> anyhow::Result<Option<Read>> {
        let files = published(&self.folder)?;
        let before = Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner));
        if before.files == files {
            return Ok(None);
        }
        let mut new = Read::default();
        for file in files {
            match file.keys() {
                Ok(read) => {
                    new.learn(
                        &file.service,
                        read.iter().map(|key| (key.kid(), DecodingKey::from_ed_der(key.bytes()))),
                    );
                    new.files.push(file);
                }
                // A service whose file is broken shuts out itself alone, and not even itself while it is only half written.
                Err(error) => {
                    let (service, error) = (&file.service, format!("{error:#}"));
                    tracing::error!(service, error, "its keys cannot be read; those read before go on");
                    let known = before.keys.iter().filter(|(_, known)| known.services.contains(service));
                    new.learn(service, known.map(|(kid, known)| (kid.as_str(), known.key.clone())));
                }
            }
        }
        Ok(Some(new))
    }
}

impl Read {
    fn learn<'a>(&mut self, service: &str, keys: impl Iterator<Item = (&'a str, DecodingKey)>) {
        for (kid, key) in keys {
            let known =
                self.keys.entry(kid.to_owned()).or_insert_with(|| Known { key, services: Vec::new() });
            known.services.push(service.to_owned());
        }
    }
}

impl Published {
    fn keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        let text = fs::read_to_string(&self.path);
        let text = text.with_context(|| format!("cannot read {}", self.path.display()))?;
        let keys =
            PublicKey::all_in_pem(&text).with_context(|| format!("not PEM: {}", self.path.display()))?;
        anyhow::ensure!(!keys.is_empty(), "{} holds no Ed25519 keys", self.path.display());
        Ok(keys)
    }
}

/// By the names of their services, so that two looks at the same files are alike.
fn published(folder: &Path) -> anyhow::Result<Vec<Published>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let Ok(service) = entry.file_name().into_string() else { continue };
        let path = entry.path().join(PUBLIC_FILE);
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            // A folder without keys, or something that is no folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                continue;
            }
            // One entry that cannot be looked at does not hide the keys of the others.
            Err(error) => {
                tracing::error!(service, %error, "the keys of a service cannot be looked at");
                continue;
            }
        };
        let changed = (about.mtime(), about.mtime_nsec());
        files.push(Published { service, path, inode: about.ino(), size: about.size(), changed });
    }
    files.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(files)
}
