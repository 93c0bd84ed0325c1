//! The keys that a service signs with. An operator rotates them on the machine while it runs, so the files are looked at anew from
//! time to time.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use common_utils::clock::SharedClock;
use serde::Serialize;

use super::lifetime;
use crate::key_ring::KeyRing;

const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct OwnKeys {
    ring: KeyRing,
    looked: Mutex<Instant>,
}

impl OwnKeys {
    /// Makes the first key if there is none.
    pub(super) fn load_or_create(folder: &Path, service: &str, clock: SharedClock) -> anyhow::Result<Self> {
        let ring = KeyRing::load_or_create(&folder.join(service), clock, lifetime())?;
        Ok(Self { ring, looked: Mutex::new(Instant::now()) })
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        self.look();
        self.ring.sign(claims)
    }

    /// Publishes keys that are planned now, and no longer those that are over. Whoever comes while another looks goes on with what is known.
    pub(super) fn look(&self) {
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if looked.elapsed() < LOOK_EVERY {
            return;
        }
        *looked = Instant::now();
        // What was read before goes on to sign.
        if let Err(error) = self.ring.reload() {
            tracing::error!(error = format!("{error:#}"), "the keys of service tokens cannot be read");
        }
    }
}
