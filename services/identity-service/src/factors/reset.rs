//! Takes all second factors from somebody who has lost them, recovery codes too: done by an operator on the machine, who has made sure who
//! asks. The person is told, and signs in with the password alone from then on.

use common_auth::Method;
use common_events::Actor;

use super::{error::FactorError, remove_in_op, repo};
use crate::{
    SERVICE_NAME,
    notices::Notices,
    passkeys,
    users::{self, Identifier, Users, entity::Outcome, error::UserError},
};

pub(crate) async fn reset(
    users: &Users,
    notices: &Notices,
    identifier: &Identifier,
) -> Result<Outcome, FactorError> {
    let id = users.find(identifier).await?.ok_or(UserError::NotFound)?.id;
    let now = users.clock.now();
    let mut op = common_db::begin(&users.pool).await?;
    let mut user = users::repo::find_locked_in_op(&mut op, id).await?.ok_or(UserError::NotFound)?;
    let lost: Vec<Method> =
        user.second_factors().into_iter().filter(|method| *method != Method::Recovery).collect();
    if lost.is_empty() {
        return Ok(Outcome::AlreadyApplied);
    }
    repo::delete_totp_in_op(&mut op, id).await?;
    passkeys::forget_in_op(&mut op, id).await?;
    for method in lost {
        let by = Actor::service(SERVICE_NAME);
        remove_in_op(&mut op, notices, &mut user, method, (by, now)).await?;
    }
    op.commit().await?;
    tracing::warn!(user_id = %id, "second factors were taken away by an operator");
    Ok(Outcome::Executed)
}
