//! Passwords: argon2id (RFC 9106), off the async threads, and never more at once than the machine has cores, so that
//! a flood of logins cannot starve the rest.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// Hashing waits for its turn at most as long as the request has; beyond this many waiting, callers are refused.
const LONGEST_QUEUE: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many sign-ins at once")]
    Overloaded,
    #[error("hashing failed: {0}")]
    Failed(String),
}

#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    workers: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Checked against when there is no such account, so that both answers take as long.
    decoy: Arc<str>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("params", self.argon2.params()).finish_non_exhaustive()
    }
}

impl Passwords {
    /// With `memory_kib` of memory and `passes` over it; OWASP's first choice is 19456 KiB and 2 passes.
    pub fn new(memory_kib: u32, passes: u32) -> anyhow::Result<Self> {
        let params = Params::new(memory_kib, passes, 1, None)
            .map_err(|error| anyhow::anyhow!("argon2 parameters: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = argon2
            .hash_password(&rand::random::<[u8; 16]>())
            .map_err(|error| anyhow::anyhow!("argon2: {error}"))?
            .to_string();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            argon2,
            workers: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(LONGEST_QUEUE)),
            decoy: decoy.into(),
        })
    }

    /// The hash to store, in PHC format.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.work(move || {
            let hash = argon2.hash_password(password.expose_secret().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Failed(error.to_string()))
        })
        .await
    }

    /// Whether the password is the one that was hashed. Without a hash it is wrong, after the same work.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, PasswordError> {
        let argon2 = self.argon2.clone();
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        self.work(move || {
            let parsed =
                PasswordHash::new(&hash).map_err(|error| PasswordError::Failed(error.to_string()))?;
            let matches = argon2.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(matches && exists)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.queue.try_acquire().map_err(|_| PasswordError::Overloaded)?;
        let worker =
            Arc::clone(&self.workers).acquire_owned().await.map_err(|_| PasswordError::Overloaded)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(worker);
            result
        });
        done.await.map_err(|error| PasswordError::Failed(error.to_string()))?
    }
}

impl From<PasswordError> for common_utils::http::Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Overloaded => Self::new(
                http::StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many people sign in at this moment. Try again shortly.",
            )
            .retry_after(std::time::Duration::from_secs(2)),
            PasswordError::Failed(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_told_from_others() {
        let passwords = Passwords::new(64, 1).unwrap();
        let secret = |text: &str| SecretString::from(text);
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(secret("battery staple"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(secret("correct horse"), None).await.unwrap());
    }
}
