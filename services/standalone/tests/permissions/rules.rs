//! What has to be answered, as it follows from who may call. The matrix says more; this it may never say otherwise.

use common_auth::permissions::{SERVICES, STAFF};
use common_utils::http::Access;

use crate::{callers::Caller, matrix::Line};

/// Where staff decide about what customers have.
const DECISIONS: [&str; 2] = ["/api/v1/identity/kyc/reviews/{id}", "/api/v1/admin/wallets/{id}/"];

/// How the caller is met at the door.
#[derive(Debug, PartialEq, Eq)]
enum Door {
    /// What comes then is the business's.
    Open,
    Unauthenticated,
    Forbidden,
}

pub(crate) fn broken_by(line: &Line) -> Vec<String> {
    let mut broken = Vec::new();
    for (caller, status) in line.answers() {
        let expected = if decides_about_themselves(line, caller) {
            Door::Forbidden
        } else {
            door(line.route.access, caller)
        };
        let kept = match expected {
            // A body that proves who sent it may prove nothing.
            Door::Open if matches!(line.route.access, Access::Anybody(_)) => status != 403,
            Door::Open => status != 401 && status != 403,
            Door::Unauthenticated => status == 401,
            Door::Forbidden => status == 403,
        };
        if !kept || status >= 500 {
            broken.push(format!("{}: {} got {status}, {expected:?}", line.route.name(), caller.name()));
        }
        if is_owned(line) && caller.is_person() && (status == 404) == caller.is_owner() {
            broken.push(format!(
                "{}: {} got {status}, and the owner alone finds it",
                line.route.name(),
                caller.name()
            ));
        }
    }
    if !line.unfit.is_empty() {
        let who: Vec<_> = line.unfit.iter().map(|caller| caller.name()).collect();
        broken.push(format!(
            "{}: its body does not fit, as {who:?} were told; give one in `bodies`",
            line.route.name()
        ));
    }
    if matches!(line.route.access, Access::Anybody(_))
        && line.answers.iter().any(|one| *one != line.answers[0])
    {
        broken.push(format!("{} is open, and does not answer everybody the same", line.route.name()));
    }
    broken
}

/// Whether somebody of staff would decide about what is their own, which the role never lets them.
fn decides_about_themselves(line: &Line, caller: Caller) -> bool {
    caller.is_owning_staff() && DECISIONS.iter().any(|decision| line.route.path.starts_with(decision))
}

/// Whether the path names a thing of one customer, which is as if it were not there for all others.
fn is_owned(line: &Line) -> bool {
    let of_persons =
        matches!(line.route.access, Access::SignedIn | Access::SteppedUp(_) | Access::SignedInOrMachine(_));
    of_persons && line.route.path.contains("{id}")
}

fn door(access: Access, caller: Caller) -> Door {
    match access {
        Access::Anybody(_) => Door::Open,
        Access::SignedInOrMachine(_) if caller == Caller::Machine => Door::Open,
        // Its token is in force, and has no scope that would do.
        Access::SignedIn
        | Access::SteppedUp(_)
        | Access::SignedInOrMachine(_)
        | Access::Leaving
        | Access::Staff(_)
            if caller == Caller::Machine =>
        {
            Door::Forbidden
        }
        // They are asked to prove once more who they are.
        Access::SteppedUp(_) if caller == Caller::StaleOwner => Door::Forbidden,
        // They have signed in a moment ago.
        Access::SignedIn | Access::SteppedUp(_) | Access::SignedInOrMachine(_) | Access::Leaving
            if caller.is_person() =>
        {
            Door::Open
        }
        Access::Staff(permission) if caller.is_person() => {
            let line = STAFF.iter().find(|line| line.name == permission).unwrap();
            allowed(line.holders.iter().any(|role| caller.role() == Some(*role)))
        }
        Access::Service(permission) if caller.is_service() => {
            let line = SERVICES.iter().find(|line| line.name == permission).unwrap();
            allowed(line.holders.iter().any(|service| service.name() == caller.name()))
        }
        _ => Door::Unauthenticated,
    }
}

fn allowed(held: bool) -> Door {
    if held { Door::Open } else { Door::Forbidden }
}
