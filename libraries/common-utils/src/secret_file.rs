//! Keys that a deployment makes for itself on first start and keeps, readable by its owner alone.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;

/// Reads the file, or makes it with what `make` gives. Two processes that start at the same time end up with the
/// same content: the file appears whole or not at all, and the first one wins.
pub fn load_or_create(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(content) => return Ok(content),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let draft = path.with_extension(format!("draft-{}", crate::ids::new_id()));
    write_private(&draft, &make()?).with_context(|| format!("cannot write {}", draft.display()))?;
    // A hard link fails when the name exists, unlike a rename: that is what decides who was first.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).with_context(|| format!("cannot remove {}", draft.display()))?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make {}", path.display()))
        }
        _ => fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
