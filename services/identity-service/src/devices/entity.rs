//! A device that is bound to somebody's account, and what it signs.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{id_type, ids::UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::PublicKey;

id_type!(/// A bound device.
    DeviceId);
id_type!(/// Something that a device is asked to sign.
    ChallengeId);

/// Of one person, where a deployment allows more than one.
pub(crate) const MOST: usize = 10;
/// How long a challenge is good for.
pub(crate) const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// What is signed begins with this, so that no signature that was given elsewhere means anything here, nor the other way round.
const DOMAIN: &str = "wallet-platform/device/v1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Platform {
    Android,
    Ios,
    Other,
}

#[derive(Debug, thiserror::Error)]
#[error("must be android, ios or other")]
pub(crate) struct UnknownPlatform;

impl Platform {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Other => "other",
        }
    }
}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(name: &str) -> Result<Self, UnknownPlatform> {
        let all = [Self::Android, Self::Ios, Self::Other];
        all.into_iter().find(|platform| platform.name() == name).ok_or(UnknownPlatform)
    }
}

/// As far as what it signs is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) user_id: UserId,
    pub(crate) key: PublicKey,
    pub(crate) activated_at: DateTime<Utc>,
}

/// Whose call it is that a challenge belongs to, where somebody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: UserId,
    pub(crate) session: Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Binds the device to the caller's account.
    Bind(Caller),
    /// Signs in.
    Unlock,
    /// Proves anew that the caller is there.
    StepUp(Caller),
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bind(_) => "bind",
            Self::Unlock => "unlock",
            Self::StepUp(_) => "step_up",
        }
    }

    pub(crate) fn caller(self) -> Option<Caller> {
        match self {
            Self::Bind(caller) | Self::StepUp(caller) => Some(caller),
            Self::Unlock => None,
        }
    }
}

/// A challenge, as the device gets it and as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) id: ChallengeId,
    pub(crate) device: DeviceId,
    pub(crate) purpose: Purpose,
    pub(crate) nonce: [u8; 32],
    pub(crate) expires_at: DateTime<Utc>,
}

impl Challenge {
    pub(crate) fn new(device: DeviceId, purpose: Purpose, now: DateTime<Utc>) -> Self {
        // Whole seconds: that is how it is signed.
        let expires_at = DateTime::from_timestamp((now + LIFETIME).timestamp(), 0).unwrap_or(now);
        Self { id: ChallengeId::new(), device, purpose, nonce: rand::random(), expires_at }
    }

    /// The bytes that are signed (`docs/sign-in.md`): what for, by which device, in answer to what, until when.
    pub(crate) fn message(&self) -> String {
        format!(
            "{DOMAIN}\npurpose:{}\ndevice:{}\nchallenge:{}\nexpires:{}",
            self.purpose.name(),
            self.device,
            URL_SAFE_NO_PAD.encode(self.nonce),
            self.expires_at.timestamp(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_tells_all_that_it_is_good_for() {
        let device = DeviceId::from(Uuid::nil());
        let now = DateTime::from_timestamp(1_000, 5).unwrap();
        let challenge = Challenge { nonce: [0; 32], ..Challenge::new(device, Purpose::Unlock, now) };
        assert_eq!(
            challenge.message(),
            "wallet-platform/device/v1\n\
             purpose:unlock\n\
             device:00000000-0000-0000-0000-000000000000\n\
             challenge:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
             expires:1300"
        );
        let caller = Caller { user: UserId::new(), session: Uuid::nil() };
        for purpose in [Purpose::Bind(caller), Purpose::StepUp(caller)] {
            assert_ne!(Challenge { purpose, ..challenge.clone() }.message(), challenge.message());
        }
    }

    #[test]
    fn no_two_challenges_are_alike() {
        let challenge = || Challenge::new(DeviceId::from(Uuid::nil()), Purpose::Unlock, DateTime::UNIX_EPOCH);
        assert_ne!(challenge().message(), challenge().message());
    }
}
