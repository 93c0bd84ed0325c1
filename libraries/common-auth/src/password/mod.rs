//! Passwords: argon2id (RFC 9106), on threads of their own (`threads`), so that a flood of logins cannot starve the rest. Who would
//! wait long for a turn is refused instead.
//!
//! Hashes of bcrypt are verified, too: people who come from another system bring them. `is_outdated` says of these, and of those
//! with another cost than today's, that they are to be made anew from a password that was right.

mod threads;

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

use self::threads::HashingThreads;

/// As PHP, Python, Node and others write them; they mean the same.
const BCRYPT: [&str; 3] = ["$2a$", "$2b$", "$2y$"];

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
    threads: HashingThreads,
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
        Ok(Self { argon2, threads: HashingThreads::start()?, decoy: decoy.into() })
    }

    /// The hash to store, in PHC format.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        let argon2 = self.argon2.clone();
        self.threads
            .run(move || {
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
        self.threads
            .run(move || {
                if is_bcrypt(&hash) {
                    return bcrypt::verify(password.expose_secret(), &hash)
                        .map_err(|error| PasswordError::Failed(error.to_string()));
                }
                let parsed =
                    PasswordHash::new(&hash).map_err(|error| PasswordError::Failed(error.to_string()))?;
                let matches = argon2.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
                Ok(matches && exists)
            })
            .await
    }

    /// Whether the hash was made in another way than `hash` makes it today.
    pub fn is_outdated(&self, hash: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(hash) else { return true };
        let params = Params::try_from(&parsed);
        let (today, version) = (self.argon2.params(), u32::from(Version::V0x13));
        let same_cost = params.is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (today.m_cost(), today.t_cost(), today.p_cost())
        });
        parsed.algorithm != Algorithm::Argon2id.ident() || parsed.version != Some(version) || !same_cost
    }
}

/// Whether it is a hash of bcrypt that `verify` takes, of a cost at which it ends within a few seconds.
pub fn is_bcrypt_within(hash: &str, highest_cost: u32) -> bool {
    let parts = hash.parse::<bcrypt::HashParts>();
    is_bcrypt(hash) && parts.is_ok_and(|parts| (4..=highest_cost).contains(&parts.get_cost()))
}

/// Whether it is a hash of argon2id that `verify` takes, of no more than this cost.
pub fn is_argon2id_within(hash: &str, most_memory_kib: u32, most_passes: u32) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let whole = parsed.salt.is_some() && parsed.hash.is_some();
    let bounded = Params::try_from(&parsed).is_ok_and(|params| {
        params.m_cost() <= most_memory_kib && params.t_cost() <= most_passes && params.p_cost() <= 16
    });
    parsed.algorithm == Algorithm::Argon2id.ident() && whole && bounded
}

fn is_bcrypt(hash: &str) -> bool {
    BCRYPT.iter().any(|version| hash.starts_with(version))
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
    /// The same password, as two other implementations have hashed it.
    #[tokio::test]
    async fn hashes_of_bcrypt_are_verified_and_outdated() {
        let passwords = Passwords::new(64, 1).unwrap();
        let hash = bcrypt::hash("correct horse", 4).unwrap();
        for version in BCRYPT {
            let hash = format!("{version}{}", &hash[4..]);
            assert!(is_bcrypt_within(&hash, 14) && passwords.is_outdated(&hash), "{version}");
            assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap(), "{version}");
            assert!(!passwords.verify("battery staple".into(), Some(hash)).await.unwrap(), "{version}");
        }
        // From the test vectors of OpenBSD's bcrypt, as crypt_blowfish publishes them.
        let published = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(passwords.verify("U*U".into(), Some(published.to_owned())).await.unwrap());
        assert!(!is_bcrypt_within(&hash.replace("$04$", "$15$"), 14), "it would take seconds");
        assert!(!is_bcrypt_within("$2b$04$short", 14) && !is_bcrypt_within("$1$abc$def", 14));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let today = Passwords::new(64, 1).unwrap();
        let hash = today.hash("correct horse".into()).await.unwrap();
        assert!(!today.is_outdated(&hash));
        for (memory, passes) in [(128, 1), (64, 2)] {
            let other = Passwords::new(memory, passes).unwrap();
            assert!(other.is_outdated(&hash));
            assert!(other.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        }
        assert!(is_argon2id_within(&hash, 64, 1) && !is_argon2id_within(&hash, 63, 1));
        assert!(!is_argon2id_within(&hash.replace("argon2id", "argon2i"), 64, 1));
        assert!(today.is_outdated(&hash.replace("argon2id", "argon2i")) && today.is_outdated("nonsense"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_long_for_a_turn_is_refused() {
        let passwords = Passwords::new(64, 1).unwrap();
        let all = u32::try_from(passwords.threads.turns.available_permits()).unwrap();
        let busy = Arc::clone(&passwords.threads.turns).acquire_many_owned(all).await.unwrap();
        let refused = passwords.hash("correct horse".into()).await;
        assert!(matches!(refused, Err(PasswordError::Overloaded)));
        drop(busy);
        assert!(passwords.hash("correct horse".into()).await.is_ok());
        let waiting = Arc::clone(&passwords.threads.queue)
            .acquire_many_owned(u32::try_from(threads::LONGEST_QUEUE).unwrap())
            .await
            .unwrap();
        assert!(matches!(passwords.hash("correct horse".into()).await, Err(PasswordError::Overloaded)));
        drop(waiting);
    }
}
