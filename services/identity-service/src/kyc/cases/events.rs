//! What other services learn of a case: ids, the tier, where it stands and why.

use common_db::Op;
use common_events::{
    EventContext, NewEvent,
    contracts::{KycCaseDecided, KycCaseSnapshot, KycCaseSubmitted, KycCaseUpdated},
    outbox,
};

use super::{
    entity::{Action, Case, Step},
    error::CaseError,
};

pub(super) async fn publish_in_op(
    op: &mut Op,
    context: &EventContext,
    case: &Case,
    step: Step,
) -> Result<(), CaseError> {
    let snapshot = KycCaseSnapshot {
        user_id: case.user.uuid(),
        case_id: case.id.uuid(),
        country: case.country.clone(),
        tier: case.tier,
        status: step.to.name().to_owned(),
        action: step.action.name().to_owned(),
        reason: step.reason.name().to_owned(),
        review_round: step.review_round,
        changed_at: context.now,
    };
    let event = match step.action {
        Action::Open => NewEvent::new(context, &KycCaseSubmitted(snapshot)),
        _ if step.to.has_ended() => NewEvent::new(context, &KycCaseDecided(snapshot)),
        _ => NewEvent::new(context, &KycCaseUpdated(snapshot)),
    }?;
    Ok(outbox::publish_in_op(op, &[event]).await?)
}
