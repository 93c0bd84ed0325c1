//! What somebody has begun and not finished: to add an app, a passkey or a device, to change a contact, to sign in.
//!
//! It leads to nothing any more when how they prove who they are has changed: whoever began it may be the reason. Under the lock of the
//! person's row. What has left its table by then, and waits for that lock, is refused by [`require`].

use common_auth::{Assurance, CurrentUser, verify::TokenError};
use common_db::Op;
use common_utils::ids::UserId;

use crate::{codes, devices, factors, passkeys, users::entity::User};

pub(crate) async fn forget_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    codes::forget_changes_in_op(op, user).await?;
    factors::forget_begun_in_op(op, user).await?;
    passkeys::forget_begun_in_op(op, user).await?;
    devices::forget_begun_in_op(op, user).await
}

/// Whether the caller may finish what was begun. The person's row is locked, and may say more than the caller's token does: that there is a
/// second factor by now, without which nothing is finished.
pub(crate) fn require(user: &User, caller: &CurrentUser) -> Result<(), TokenError> {
    let enough = user.second_factors().is_empty() || caller.claims.acr == Assurance::Aal2;
    if enough { Ok(()) } else { Err(TokenError::Outdated) }
}
