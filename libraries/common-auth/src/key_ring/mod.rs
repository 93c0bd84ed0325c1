//! Keys that sign tokens, in a folder (`KEYS_DIR` for access tokens, one a service for service tokens): one signs, the next one and those whose last tokens are
//! still about are published with it. Rotating is a command on the machine; instances that run look at the files every few
//! seconds, so nobody has to be started anew.
//!
//! A deployment begins with one key (`jwt_ed25519.pem`) and no plan. The first rotation writes the plan, `jwt_keys/plan.json`, and lays the new
//! key beside it. What the gateway checks tokens with, `jwt_ed25519.pub.pem`, has the public half of each published key under its
//! name.

mod files;
mod plan;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Context;
use chrono::TimeDelta;
use common_utils::clock::SharedClock;
use serde::Serialize;

use self::plan::Plan;
pub use self::plan::{KeyState, PlanError, Planned};
use crate::{jwks::PublicKey, signing::TokenSigner};

pub struct KeyRing {
    keys_dir: PathBuf,
    clock: SharedClock,
    lifetime: TimeDelta,
    loaded: RwLock<Arc<Loaded>>,
}

struct Loaded {
    plan: Plan,
    signers: HashMap<String, TokenSigner>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("keys_dir", &self.keys_dir).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Makes the first key if there is none. `lifetime` is that of the tokens.
    pub fn load_or_create(keys_dir: &Path, clock: SharedClock, lifetime: TimeDelta) -> anyhow::Result<Self> {
        let loaded = RwLock::new(Arc::new(load(keys_dir)?));
        let ring = Self { keys_dir: keys_dir.to_owned(), clock, lifetime, loaded };
        ring.publish()?;
        Ok(ring)
    }

    /// Reads the files anew.
    pub fn reload(&self) -> anyhow::Result<()> {
        let loaded = Arc::new(load(&self.keys_dir)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        self.publish()
    }

    /// A token by the key that signs now.
    pub fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        let loaded = self.loaded();
        let signing = loaded.plan.signing(self.clock.now()).and_then(|kid| loaded.signers.get(kid));
        signing.context("no key signs")?.sign(claims)
    }

    /// The public halves of the next key, of the one that signs, and of those whose tokens are still about.
    pub fn published(&self) -> Vec<PublicKey> {
        let loaded = self.loaded();
        let states = loaded.plan.states(self.lifetime, self.clock.now());
        let published = states.filter(|(_, state)| *state != KeyState::Over);
        published
            .filter_map(|(key, _)| loaded.signers.get(&key.kid))
            .map(|signer| signer.public_key().clone())
            .collect()
    }

    pub fn list(&self) -> Vec<(Planned, KeyState)> {
        let loaded = self.loaded();
        let states = loaded.plan.states(self.lifetime, self.clock.now());
        states.map(|(key, state)| (key.clone(), state)).collect()
    }

    /// Makes a key that signs after `overlap`, and forgets keys that are over. Gives its name.
    pub fn rotate(&self, overlap: TimeDelta) -> anyhow::Result<Planned> {
        let _alone = files::lock(&self.keys_dir)?;
        self.reload()?;
        let now = self.clock.now();
        let mut plan = self.loaded().plan.clone();
        let over = self.list().into_iter().filter(|(_, state)| *state == KeyState::Over);
        let over: Vec<String> = over.map(|(key, _)| key.kid).collect();
        for kid in &over {
            plan.remove(kid, now)?;
        }
        let (kid, pem) = files::new_key()?;
        let signs_from = now + overlap;
        plan.add(&kid, signs_from, now)?;
        files::write_key(&self.keys_dir, &kid, &pem)?;
        files::write_plan(&self.keys_dir, &plan)?;
        for kid in &over {
            files::remove_key(&self.keys_dir, kid)?;
        }
        self.reload()?;
        Ok(Planned { kid, signs_from })
    }

    /// What the key has signed is not believed any more: one that is over, one that was only planned, or one that somebody stole.
    pub fn retire(&self, kid: &str) -> anyhow::Result<()> {
        let _alone = files::lock(&self.keys_dir)?;
        self.reload()?;
        let mut plan = self.loaded().plan.clone();
        plan.remove(kid, self.clock.now())?;
        files::write_plan(&self.keys_dir, &plan)?;
        files::remove_key(&self.keys_dir, kid)?;
        self.reload()
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For the gateway.
    fn publish(&self) -> anyhow::Result<()> {
        files::publish(&self.keys_dir, &self.published())
    }
}

fn load(keys_dir: &Path) -> anyhow::Result<Loaded> {
    let Some(plan) = files::read_plan(keys_dir)? else {
        let signer = TokenSigner::load_or_create(keys_dir)?;
        let plan = Plan::of(signer.public_key().kid());
        let signers = HashMap::from([(signer.public_key().kid().to_owned(), signer)]);
        return Ok(Loaded { plan, signers });
    };
    let mut signers = HashMap::new();
    for kid in plan.kids() {
        let signer = files::read_key(keys_dir, kid)?;
        anyhow::ensure!(signer.public_key().kid() == kid, "the key file of {kid} holds another key");
        signers.insert(kid.to_owned(), signer);
    }
    Ok(Loaded { plan, signers })
}
