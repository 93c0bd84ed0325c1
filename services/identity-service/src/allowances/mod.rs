//! How often something may be done in a time: a code be sent to a contact, a password be tried. Counted under a lock, so that
//! it holds however many ask at once.

pub(crate) mod entity;
mod repo;

use std::time::Duration;

use chrono::TimeDelta;
use common_db::{Op, PgPool};
use common_utils::{
    clock::SharedClock,
    crypto::{keyed_hash, sealing::KeyFile},
    ids::UserId,
};
use zeroize::Zeroizing;

pub(crate) use entity::Allowance;

use crate::users::Identifier;

const PURPOSE: &str = "wallet-platform/allowances/v1";
const KEPT: TimeDelta = TimeDelta::days(1);
const PURGE_BATCH: i64 = 1000;

/// What is counted, and whose.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted<'a> {
    /// Codes that verify a person's contact.
    Verifying(UserId, &'a Identifier),
    /// The same in a day, whoever registers with the contact: who is erased and registers again is somebody else.
    VerifyingADay(&'a Identifier),
    /// Codes sent to a contact that somebody wants to change to, whoever asks for them, in an hour or a day.
    ChangingToIn(&'a Identifier, &'static str),
    /// Changes of a contact that a person asks for.
    ChangesBy(UserId),
    /// Password resets of a person.
    ResetsOf(UserId),
    /// Times that somebody who is signed in tells their password.
    ProofsBy(UserId),
    ProofsADayBy(UserId),
    /// Codes of a second factor that somebody who is signed in gives.
    CodesBy(UserId),
    CodesADayBy(UserId),
    /// Applications for a tier.
    CasesBy(UserId),
    /// Checks of a bank verification number.
    BvnChecksBy(UserId),
}

/// It is to be waited for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too often; again in {0}")]
pub(crate) struct TooOften(pub(crate) TimeDelta);

impl TooOften {
    /// Whole seconds, rounded up: who waits that long is not refused again.
    pub(crate) fn wait(self) -> Duration {
        let seconds = self.0.num_seconds() + i64::from(self.0.subsec_nanos() > 0);
        Duration::from_secs(seconds.max(1).unsigned_abs())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Allowances {
    pool: PgPool,
    clock: SharedClock,
    key: Zeroizing<[u8; 32]>,
}

impl Allowances {
    pub(crate) fn new(pool: PgPool, clock: SharedClock, key: &KeyFile) -> Self {
        Self { pool, clock, key: key.derive(PURPOSE, "key") }
    }

    /// Takes one of what is allowed, with the transaction's commit, and tells how many are left.
    pub(crate) async fn take_in_op(
        &self,
        op: &mut Op,
        counted: Counted<'_>,
        allowance: Allowance,
    ) -> sqlx::Result<Result<usize, TooOften>> {
        let (key, now) = (self.key_of(counted), self.clock.now());
        let taken = repo::lock_in_op(op, &key, now).await?;
        match allowance.take(&taken, now) {
            Ok(taken) => {
                repo::write_in_op(op, &key, &taken, now).await?;
                Ok(Ok(allowance.most.saturating_sub(taken.len())))
            }
            Err(wait) => Ok(Err(TooOften(wait))),
        }
    }

    /// Gives back all that was taken.
    pub(crate) async fn give_back(&self, counted: Counted<'_>) -> sqlx::Result<()> {
        repo::delete(&self.pool, &self.key_of(counted)).await
    }

    fn key_of(&self, counted: Counted<'_>) -> [u8; 32] {
        let of = |what: &str, whose: &[u8]| keyed_hash(self.key.as_slice(), &[what.as_bytes(), whose]);
        let within = |what: &str, time: &str, whose: &[&[u8]]| of(&format!("{what}-{time}"), &whose.concat());
        match counted {
            Counted::Verifying(user, contact) => {
                within("verifying", "hour", &[user.uuid().as_bytes(), contact.as_str().as_bytes()])
            }
            Counted::VerifyingADay(contact) => within("verifying", "day", &[contact.as_str().as_bytes()]),
            Counted::ChangingToIn(contact, time) => {
                within("changing-to", time, &[contact.as_str().as_bytes()])
            }
            Counted::ChangesBy(user) => of("changes-by", user.uuid().as_bytes()),
            Counted::ResetsOf(user) => of("resets-of", user.uuid().as_bytes()),
            Counted::ProofsBy(user) => of("proofs-by", user.uuid().as_bytes()),
            Counted::ProofsADayBy(user) => of("proofs-a-day-by", user.uuid().as_bytes()),
            Counted::CodesBy(user) => of("codes-by", user.uuid().as_bytes()),
            Counted::CodesADayBy(user) => of("codes-a-day-by", user.uuid().as_bytes()),
            Counted::CasesBy(user) => of("cases-by", user.uuid().as_bytes()),
            Counted::BvnChecksBy(user) => of("bvn-checks-by", user.uuid().as_bytes()),
        }
    }

    /// Forgets what no allowance looks back to.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while repo::purge(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}
