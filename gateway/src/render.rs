//! The file, rendered by the same script that renders it for Kong: `gateway/render.sh`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::config::{Config, ConfigError};

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("{script}: {reason}")]
    Script { script: PathBuf, reason: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The folder with `kong.yml` and `render.sh`: `GATEWAY_DIR`, else `gateway` below the working directory, else where
/// this crate was built.
pub fn directory() -> PathBuf {
    let near = PathBuf::from("gateway");
    match std::env::var_os("GATEWAY_DIR") {
        Some(named) => named.into(),
        None if near.join("render.sh").is_file() => near,
        None => env!("CARGO_MANIFEST_DIR").into(),
    }
}

/// The text of `kong.yml` with the public key in it.
pub fn render(directory: &Path, public_key: &Path) -> Result<String, RenderError> {
    let script = directory.join("render.sh");
    let failed = |reason: String| RenderError::Script { script: script.clone(), reason };
    let output = Command::new("sh")
        .arg(&script)
        .arg(public_key)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}

/// Renders and reads.
pub fn load(directory: &Path, public_key: &Path) -> Result<Config, RenderError> {
    Ok(Config::parse(&render(directory, public_key)?)?)
}
