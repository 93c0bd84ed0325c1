//! Where the keys lie, and how a file is replaced so that nobody ever reads half of one.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use common_utils::{ids, secret_file};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey, spki::der::pem::LineEnding},
};

use super::plan::Plan;
use crate::{
    jwks::PublicKey,
    signing::{PRIVATE_FILE, PUBLIC_FILE, TokenSigner},
};

const FOLDER: &str = "jwt_keys";

fn folder(keys_dir: &Path) -> PathBuf {
    keys_dir.join(FOLDER)
}

fn key_file(keys_dir: &Path, kid: &str) -> PathBuf {
    folder(keys_dir).join(format!("{kid}.pem"))
}

fn plan_file(keys_dir: &Path) -> PathBuf {
    folder(keys_dir).join("plan.json")
}

/// Held while the keys are changed: two operators do so one after the other.
pub(super) fn lock(keys_dir: &Path) -> anyhow::Result<File> {
    let folder = folder(keys_dir);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let locked = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = locked.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

pub(super) fn read_plan(keys_dir: &Path) -> anyhow::Result<Option<Plan>> {
    let path = plan_file(keys_dir);
    match fs::read(&path) {
        Ok(content) => {
            let plan = serde_json::from_slice(&content);
            plan.map(Some).with_context(|| format!("{} is no plan of keys", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

pub(super) fn write_plan(keys_dir: &Path, plan: &Plan) -> anyhow::Result<()> {
    replace(&plan_file(keys_dir), &serde_json::to_string_pretty(plan)?)
}

/// A fresh key: its name, and itself in PEM.
pub(super) fn new_key() -> anyhow::Result<(String, Vec<u8>)> {
    let key = SigningKey::from_bytes(&rand::random());
    let kid = PublicKey::new(key.verifying_key().to_bytes()).kid().to_owned();
    Ok((kid, key.to_pkcs8_pem(LineEnding::LF)?.as_bytes().to_vec()))
}

pub(super) fn write_key(keys_dir: &Path, kid: &str, pem: &[u8]) -> anyhow::Result<()> {
    secret_file::load_or_create(&key_file(keys_dir, kid), || Ok(pem.to_vec())).map(drop)
}

/// The key in its own file, or the first one of the deployment.
pub(super) fn read_key(keys_dir: &Path, kid: &str) -> anyhow::Result<TokenSigner> {
    let own = key_file(keys_dir, kid);
    TokenSigner::load(&if own.exists() { own } else { keys_dir.join(PRIVATE_FILE) })
}

pub(super) fn remove_key(keys_dir: &Path, kid: &str) -> anyhow::Result<()> {
    let own = key_file(keys_dir, kid);
    let path = if own.exists() { own } else { keys_dir.join(PRIVATE_FILE) };
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}

/// Each key in PEM, under a line with its name.
pub(super) fn publish(keys_dir: &Path, keys: &[PublicKey]) -> anyhow::Result<()> {
    let blocks = keys.iter().map(|key| Ok(format!("kid: {}\n{}", key.kid(), key.pem()?)));
    replace(&keys_dir.join(PUBLIC_FILE), &blocks.collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// Leaves the file alone where it is right, and never shows half of it: a gateway may be reading it.
fn replace(path: &Path, content: &str) -> anyhow::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let draft = path.with_extension(format!("draft-{}", ids::new_id()));
    let write = || {
        let mut file = File::create_new(&draft)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
