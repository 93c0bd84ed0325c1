//! A directory for the keys of what is measured, which is removed with it.

use std::path::PathBuf;

use common_utils::ids;

pub(crate) struct Keys(pub(crate) PathBuf);

impl Keys {
    /// A path where nothing lies yet.
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("bench-keys-{}", ids::new_id())))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            println!("{} is left behind: {error}", self.0.display());
        }
    }
}
