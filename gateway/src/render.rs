//! The file, rendered by the same script that renders it for Kong: `gateway/render.sh`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    Gateway,
    config::{Config, ConfigError},
};

/// A next key is published minutes before it signs.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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

/// The text of `kong.yml` with the public keys in it.
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

/// Has the gateway verify tokens with the keys that are published, when they change, until `shutdown`. What cannot be read
/// changes nothing, and is read again.
pub async fn keep_keys(
    gateway: Gateway,
    directory: PathBuf,
    public_keys: PathBuf,
    shutdown: CancellationToken,
) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let mut read = None;
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        let now = tokio::fs::read(&public_keys).await.ok();
        if now.is_none() || now == read {
            continue;
        }
        let (directory, public_keys) = (directory.clone(), public_keys.clone());
        let rendered = tokio::task::spawn_blocking(move || load(&directory, &public_keys)).await;
        let replaced = match rendered {
            Ok(Ok(config)) => gateway.replace_keys(&config),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match replaced {
            Ok(()) => read = now,
            Err(error) => tracing::error!(error, "the keys of access tokens cannot be read anew"),
        }
    }
}
