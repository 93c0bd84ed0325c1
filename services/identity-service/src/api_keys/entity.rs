//! An API key, the secrets that prove it, and what becomes of them when it is rotated.

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::Scopes;
use common_utils::{id_type, ids::UserId};
use serde::Serialize;

id_type!(/// A key: the `client_id` of a machine, whatever its secret is.
    ApiKeyId);
id_type!(/// One secret of a key: the session of the tokens that are got with it.
    SecretId);

/// So many keys in force may somebody have.
pub(crate) const MOST_KEYS: i64 = 20;
pub(crate) const LONGEST_DAYS: u16 = 365;
pub(crate) const LONGEST_NAME: usize = 60;
/// When a secret was last used is written down this often.
pub(crate) const COARSE: TimeDelta = TimeDelta::minutes(10);
/// A key is known for so long after its end.
pub(crate) const KEPT: TimeDelta = TimeDelta::days(90);

/// What its owner calls a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeyName(String);

#[derive(Debug, thiserror::Error)]
#[error("must have 1 to {LONGEST_NAME} characters, none a control character")]
pub(crate) struct UnfitName;

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// One that was parsed before it was stored.
    pub(crate) fn stored(name: String) -> Self {
        Self(name)
    }
}

impl std::str::FromStr for KeyName {
    type Err = UnfitName;

    fn from_str(text: &str) -> Result<Self, UnfitName> {
        let name = text.trim();
        let fits =
            !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
        if fits { Ok(Self(name.to_owned())) } else { Err(UnfitName) }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub(crate) id: ApiKeyId,
    /// For whom the machine acts.
    pub(crate) user_id: UserId,
    pub(crate) name: KeyName,
    pub(crate) scopes: Scopes,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) id: SecretId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) valid_until: DateTime<Utc>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    pub(crate) fn new(user_id: UserId, name: KeyName, scopes: Scopes, days: u16, now: DateTime<Utc>) -> Self {
        let expires_at = now + TimeDelta::days(i64::from(days));
        Self { id: ApiKeyId::new(), user_id, name, scopes, created_at: now, expires_at, revoked_at: None }
    }

    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// When the secrets of a key end that gets another one, newest first: the last one after the overlap, and those before it now.
/// None ends later than it would have.
pub(crate) fn ends_on_rotation(
    secrets: &[Secret],
    overlap: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<(SecretId, DateTime<Utc>)> {
    let end = |place: usize| if place == 0 { now + overlap } else { now };
    secrets.iter().enumerate().map(|(place, one)| (one.id, one.valid_until.min(end(place)))).collect()
}

/// What is known of a secret that was presented.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) key: ApiKey,
    pub(crate) secret: Secret,
    pub(crate) hash: Vec<u8>,
    pub(crate) owner_is_active: bool,
    pub(crate) owner_tier: i16,
}

impl Presented {
    /// When the last token ends that it may still be given; None where it proves nothing any more.
    pub(crate) fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.secret.valid_until.min(self.key.expires_at);
        (self.key.is_live(now) && now < until).then_some(until)
    }

    pub(crate) fn is_to_be_noted(&self, now: DateTime<Utc>) -> bool {
        self.secret.last_used_at.is_none_or(|at| now - at >= COARSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn secret(valid_until: i64) -> Secret {
        Secret { id: SecretId::new(), created_at: at(0), valid_until: at(valid_until), last_used_at: None }
    }

    fn presented(days: u16, valid_until: i64) -> Presented {
        let key = ApiKey::new(UserId::new(), "shop".parse().unwrap(), Scopes::default(), days, at(0));
        Presented { key, secret: secret(valid_until), hash: vec![], owner_is_active: true, owner_tier: 0 }
    }

    #[test]
    fn a_name_is_short_and_visible() {
        assert_eq!("  The shop ".parse::<KeyName>().unwrap().as_str(), "The shop");
        assert!("é".repeat(60).parse::<KeyName>().is_ok());
        for unfit in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert!(unfit.parse::<KeyName>().is_err(), "{unfit:?}");
        }
    }

    #[test]
    fn one_secret_outlives_a_rotation_and_none_lives_longer_by_it() {
        let day = TimeDelta::hours(24);
        let secrets = [secret(1000), secret(30)];
        let ends: Vec<_> = ends_on_rotation(&secrets, day, at(10)).into_iter().map(|(_, end)| end).collect();
        assert_eq!(ends, [at(34), at(10)]);
        assert_eq!(ends_on_rotation(&[secret(12)], day, at(10))[0].1, at(12), "it was about to end");
        assert_eq!(ends_on_rotation(&secrets, TimeDelta::zero(), at(10))[0].1, at(10));
    }

    #[test]
    fn it_proves_something_until_the_first_of_its_ends() {
        assert_eq!(presented(10, 100).until(at(99)), Some(at(100)));
        assert_eq!(presented(10, 100).until(at(100)), None);
        assert_eq!(presented(1, 100).until(at(23)), Some(at(24)));
        assert_eq!(presented(1, 100).until(at(24)), None);
        let mut revoked = presented(10, 100);
        revoked.key.revoked_at = Some(at(5));
        assert_eq!(revoked.until(at(6)), None);
    }

    #[test]
    fn its_use_is_noted_now_and_then() {
        let mut one = presented(10, 100);
        assert!(one.is_to_be_noted(at(1)));
        one.secret.last_used_at = Some(at(1));
        assert!(!one.is_to_be_noted(at(1) + TimeDelta::minutes(9)));
        assert!(one.is_to_be_noted(at(1) + COARSE));
    }
}
