//! One-time codes: six digits, sent to a contact, which prove that their owner reads what is sent there.
//!
//! One is in force for a person and a purpose; the next takes its place. It is stored as a keyed hash, lives ten minutes, and is
//! dead after five attempts. Attempts are counted under the lock of its row, whatever the answer: so the caller commits, too, when
//! a code is wrong.

pub(crate) mod entity;
pub(crate) mod error;
mod repo;

use std::sync::Arc;

use chrono::TimeDelta;
use common_db::{Op, PgPool};
use common_utils::{
    clock::SharedClock,
    contact::PhoneNumber,
    crypto::{
        keyed_hash,
        sealing::{KeyFile, SealError, Sealer},
    },
    ids::UserId,
};
use zeroize::Zeroizing;

use self::{
    entity::{Code, LIFETIME, Purpose, Verdict},
    error::CodeError,
};
use crate::{
    allowances::{Allowance, Allowances, Counted},
    notices::{Notices, entity::Message},
    users::{ContactKind, Identifier, entity::User},
};

const PURPOSE: &str = "wallet-platform/codes/v1";
/// Those that are dead are forgotten after this.
const KEPT: TimeDelta = TimeDelta::days(1);
const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Codes {
    pool: PgPool,
    clock: SharedClock,
    notices: Notices,
    allowances: Allowances,
    sealer: Arc<Sealer>,
    key: Zeroizing<[u8; 32]>,
}

/// What a code led to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Presented {
    /// It is the one that was sent to this contact, now or before.
    Right {
        contact: Identifier,
        repeated: bool,
    },
    Wrong,
    /// There is none in force.
    Dead,
}

impl Codes {
    pub(crate) fn new(
        pool: PgPool,
        clock: SharedClock,
        notices: Notices,
        allowances: Allowances,
        key: &KeyFile,
    ) -> anyhow::Result<Self> {
        let (sealer, key) = (Arc::new(Sealer::new(key, PURPOSE)?), key.derive(PURPOSE, "hash"));
        Ok(Self { pool, clock, notices, allowances, sealer, key })
    }

    /// Sends a code to the contact, unless it had too many. What a stranger asks for does not count against whose contact it is: only who has
    /// registered with it is sent codes to verify it. Nobody is sent more than ten of these a day, whoever registers and erases themselves.
    pub(crate) async fn send_in_op(
        &self,
        op: &mut Op,
        user: UserId,
        purpose: Purpose,
        contact: &Identifier,
    ) -> Result<(), CodeError> {
        let (hourly, daily) = match purpose {
            Purpose::VerifyEmail | Purpose::VerifyPhone => {
                (Counted::Verifying(user, contact), Counted::VerifyingADay(contact))
            }
            Purpose::ChangeEmail | Purpose::ChangePhone => {
                (Counted::ChangingToIn(contact, "hour"), Counted::ChangingToIn(contact, "day"))
            }
        };
        self.allowances.take_in_op(op, hourly, Allowance::MESSAGES).await??;
        self.allowances.take_in_op(op, daily, Allowance::MESSAGES_A_DAY).await??;
        let (code, now) = (Code::random(), self.clock.now());
        let expires_at = now + LIFETIME;
        let stored = repo::NewCode {
            contact: self.sealer.seal(&place(user, purpose), contact.as_str().as_bytes())?,
            code_hash: self.hash(user, purpose, contact, &code),
            created_at: now,
            expires_at,
        };
        repo::replace_in_op(op, user, purpose, &stored).await?;
        let message = Message::code(contact, code.digits(), LIFETIME.num_minutes(), expires_at);
        Ok(self.notices.write_in_op(op, &[message]).await?)
    }

    /// To whoever has just registered, a code for each contact. A contact that had too many gets none; it can be asked for later.
    pub(crate) async fn welcome_in_op(&self, op: &mut Op, user: &User) -> Result<(), CodeError> {
        let contacts = [
            (Purpose::VerifyEmail, Identifier::Email(user.email.clone())),
            (Purpose::VerifyPhone, Identifier::Phone(user.phone_number.clone())),
        ];
        for (purpose, contact) in contacts {
            match self.send_in_op(op, user.id, purpose, &contact).await {
                Ok(()) | Err(CodeError::TooOften(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts an attempt. Commit whatever comes of it.
    pub(crate) async fn present_in_op(
        &self,
        op: &mut Op,
        user: UserId,
        purpose: Purpose,
        code: &Code,
    ) -> Result<Presented, CodeError> {
        let Some(row) = repo::find_locked_in_op(op, user, purpose).await? else { return Ok(Presented::Dead) };
        let contact = self.open(user, purpose, &row.contact)?;
        let hash = self.hash(user, purpose, &contact, code);
        let mut stored = row.code;
        let verdict = stored.present(&hash, self.clock.now());
        repo::update_in_op(op, user, purpose, &stored).await?;
        Ok(match verdict {
            Verdict::Right => Presented::Right { contact, repeated: false },
            Verdict::Repeated => Presented::Right { contact, repeated: true },
            Verdict::Wrong => Presented::Wrong,
            Verdict::Dead => Presented::Dead,
        })
    }

    fn open(&self, user: UserId, purpose: Purpose, sealed: &[u8]) -> Result<Identifier, CodeError> {
        let plain = self.sealer.open(&place(user, purpose), sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| SealError::Damaged)?;
        // As it was sealed: a number that was valid stays its owner's, whatever the parser says of it today.
        Ok(match purpose.contact() {
            ContactKind::Email => Identifier::Email(text.parse().map_err(|_| SealError::Damaged)?),
            ContactKind::Phone => Identifier::Phone(PhoneNumber::from_stored(text.to_owned())),
        })
    }

    /// Bound to its place: the hash of one code says nothing about another.
    fn hash(&self, user: UserId, purpose: Purpose, contact: &Identifier, code: &Code) -> [u8; 32] {
        let place = place(user, purpose);
        let parts = [place.as_slice(), contact.as_str().as_bytes(), code.digits().as_bytes()];
        keyed_hash(self.key.as_slice(), &parts)
    }

    /// Forgets what died long ago.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while repo::purge(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}

/// Changes of a contact that are on their way lead to nothing any more: whoever asked for them may be why the password is another.
pub(crate) async fn forget_changes_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_in_op(op, user, &[Purpose::ChangeEmail, Purpose::ChangePhone]).await
}

fn place(user: UserId, purpose: Purpose) -> Vec<u8> {
    [user.uuid().as_bytes().as_slice(), purpose.name().as_bytes()].concat()
}
