//! Passwords: argon2id (RFC 9106), on threads of their own (`threads`), so that a flood of logins cannot starve the rest. Who would
//! wait long for a turn is refused instead.
//!
//! Hashes of bcrypt are verified, too: people who come from another system bring them. `is_outdated` says of these, and of those
//! with another cost than today's, that they are to be made anew from a password that was right. As long as there are any, a check
//! of a hash of bcrypt takes longer than one of argon2id, and would show who was brought in: `verify_alike` has each refusal do the
//! same work, one argon2id and one bcrypt of the highest cost that is stored.

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
        self.verify_alike(password, hash, None).await
    }

    /// The same, where some have hashes of bcrypt, of this cost at the most: a refusal does the same work whoever is refused.
    pub async fn verify_alike(
        &self,
        password: SecretString,
        hash: Option<String>,
        highest_bcrypt: Option<u32>,
    ) -> Result<bool, PasswordError> {
        let (argon2, decoy) = (self.argon2.clone(), Arc::clone(&self.decoy));
        self.threads
            .run(move || {
                let password = password.expose_secret();
                let checked = hash.as_deref().unwrap_or(&decoy);
                if check(&argon2, password, checked)? && hash.is_some() {
                    return Ok(true);
                }
                for decoy in left_to_do(checked, highest_bcrypt, &decoy) {
                    check(&argon2, password, &decoy)?;
                }
                Ok(false)
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

fn check(argon2: &Argon2<'_>, password: &str, hash: &str) -> Result<bool, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Failed(error.to_string());
    if is_bcrypt(hash) {
        return bcrypt::verify(password, hash).map_err(|error| failed(&error));
    }
    let parsed = PasswordHash::new(hash).map_err(|error| failed(&error))?;
    Ok(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
}

/// Hashes that a refusal is to check beside the one that it has checked. A step of the cost doubles the work of bcrypt, so the costs
/// from one to below another one make up for the difference of the two.
fn left_to_do(checked: &str, highest_bcrypt: Option<u32>, argon2_decoy: &str) -> Vec<String> {
    let Some(highest) = highest_bcrypt else { return Vec::new() };
    match bcrypt_cost(checked) {
        Some(cost) => {
            (cost..highest).map(bcrypt_decoy).chain(std::iter::once(argon2_decoy.to_owned())).collect()
        }
        None => vec![bcrypt_decoy(highest)],
    }
}

/// A hash of bcrypt of this cost, of a password that nobody knows.
fn bcrypt_decoy(cost: u32) -> String {
    format!("$2b${cost:02}$CCCCCCCCCCCCCCCCCCCCC................................")
}

/// None for what is no hash of bcrypt.
pub fn bcrypt_cost(hash: &str) -> Option<u32> {
    let parts = hash.parse::<bcrypt::HashParts>().ok();
    parts.filter(|_| is_bcrypt(hash)).map(|parts| parts.get_cost())
}

/// Whether it is a hash of bcrypt that `verify` takes, of a cost at which it ends within a few seconds.
pub fn is_bcrypt_within(hash: &str, highest_cost: u32) -> bool {
    bcrypt_cost(hash).is_some_and(|cost| (4..=highest_cost).contains(&cost))
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

    /// Who is not there, who has a hash of today's, and who brought one from elsewhere are refused after the same work.
    #[tokio::test]
    async fn every_refusal_does_the_same_work() {
        let passwords = Passwords::new(64, 1).unwrap();
        let today = passwords.hash("correct horse".into()).await.unwrap();
        let (cheap, dear) =
            (bcrypt::hash("correct horse", 4).unwrap(), bcrypt::hash("correct horse", 6).unwrap());
        // Checks of argon2id, and rounds of bcrypt.
        let work = |hash: &str| {
            let checks = left_to_do(hash, Some(6), &passwords.decoy);
            let all: Vec<&str> = checks.iter().map(String::as_str).chain([hash]).collect();
            let rounds = all.iter().filter_map(|hash| bcrypt_cost(hash)).map(|cost| 1_u64 << cost).sum();
            (all.iter().filter(|hash| bcrypt_cost(hash).is_none()).count(), rounds)
        };
        for hash in [passwords.decoy.as_ref(), &today, &cheap, &dear] {
            assert_eq!(work(hash), (1, 64_u64), "{hash}");
        }
        for hash in [None, Some(today), Some(cheap), Some(dear)] {
            let wrong = passwords.verify_alike("battery staple".into(), hash.clone(), Some(6)).await;
            assert!(!wrong.unwrap(), "{hash:?}");
            let right = passwords.verify_alike("correct horse".into(), hash.clone(), Some(6)).await;
            assert_eq!(right.unwrap(), hash.is_some(), "{hash:?}");
        }
        assert!(left_to_do(&passwords.decoy, None, &passwords.decoy).is_empty());
        // Each decoy is a hash, and costs what it says.
        assert_eq!((4..=12).map(bcrypt_decoy).filter_map(|hash| bcrypt_cost(&hash)).sum::<u32>(), 72);
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
