//! What acts for somebody without their password being told: API keys, bound devices, and what they prove who they are with beside it. It
//! outlives sessions and passwords, so it is taken away where an account may be in another's hands, or is over.
//!
//! | when | API keys, devices | passkeys, authenticator app, recovery codes, PIN |
//! | --- | --- | --- |
//! | the account is closed, or its password reset by a contact that was proved before | go | stay |
//! | the reset proves the contact for the first time: whoever set the account up may be somebody else | go | go |
//! | an operator takes the second factors of who has lost them | go | go |
//!
//! Steps, under the lock of the person's row: what was begun is over → keys are revoked, with the tokens that they gave → the others' rows
//! go → it is published. The caller ends the sessions and writes to the person.

use common_auth::Method;
use common_db::Op;
use common_events::{
    Actor, EventContext,
    contracts::{FactorSnapshot, UserFactorRemoved},
};

use crate::{
    SERVICE_NAME,
    api_keys::ApiKeys,
    begun, devices, factors, passkeys, pin,
    users::{self, LockedUser, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Reclaim {
    pub(crate) api_keys: ApiKeys,
}

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// API keys and devices: each acts, or signs in, by itself.
    Keys,
    /// And all by which somebody proves who they are: the password is enough afterwards.
    Everything,
}

impl Extent {
    fn methods(self) -> &'static [Method] {
        match self {
            Self::Keys => &[Method::Device],
            Self::Everything => &[Method::Device, Method::Passkey, Method::Totp, Method::Pin],
        }
    }
}

/// What there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) api_keys: usize,
    pub(crate) methods: Vec<Method>,
}

impl Taken {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Reclaim {
    pub(crate) async fn take_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        extent: Extent,
        by: Actor,
    ) -> Result<Taken, UserError> {
        begun::forget_in_op(op, user.id).await?;
        let api_keys = self.api_keys.revoke_all_in_op(op, user.id, by.clone()).await?;
        devices::forget_in_op(op, user.id).await?;
        if extent == Extent::Everything {
            passkeys::forget_in_op(op, user.id).await?;
            factors::forget_in_op(op, user.id).await?;
            pin::forget_in_op(op, user.id).await?;
        }
        let methods = user.lose(extent.methods());
        users::repo::update_factors_in_op(op, user).await?;
        let now = user.at();
        let context = EventContext::new(SERVICE_NAME, by, now);
        // A PIN proves nobody, and was never published.
        for method in methods.iter().filter(|method| **method != Method::Pin) {
            let factor = method.name().to_owned();
            let removed = FactorSnapshot { user_id: user.id.uuid(), factor, changed_at: now };
            users::publish_in_op(op, &context, &UserFactorRemoved(removed)).await?;
        }
        Ok(Taken { api_keys, methods })
    }
}
