//! What is wrong with a posting before any account is looked at.

use common_utils::http::FieldError;

use super::posting::{AccountRef, Action, Capture, Leg, MAX_DESCRIPTION, MAX_LEGS, PostingType, Share};

/// Everything at once; fields are named from the posting on.
pub(super) fn of(kind: PostingType, description: &str, action: &Action) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if description.chars().count() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
        let message =
            format!("must be at most {MAX_DESCRIPTION} characters, none of them a control character");
        errors.push(FieldError::new("description", "out_of_range", message));
    }
    if !fits(kind, action) {
        errors.push(FieldError::new("type", "invalid", "must be the type of what the posting does"));
    }
    match action {
        Action::Move(moved) => legs(moved, &mut errors),
        Action::Hold { account, amount, .. } => {
            if matches!(account, AccountRef::Platform(_)) {
                errors.push(FieldError::new("hold.walletId", "invalid", "must be a wallet"));
            }
            positive(amount.amount, || "hold.amount.amount".to_owned(), &mut errors);
        }
        Action::Capture { to: Capture::Part { to, .. }, .. } => shares("capture.to", to, &mut errors),
        Action::Refund { from, .. } => shares("refund.from", from, &mut errors),
        Action::Capture { to: Capture::Whole { .. }, .. }
        | Action::Release { .. }
        | Action::Reverse { .. } => {}
    }
    errors
}

/// Some types say what is done, and only that has them.
fn fits(kind: PostingType, action: &Action) -> bool {
    let own = match action {
        Action::Hold { .. } => PostingType::Hold,
        Action::Release { .. } => PostingType::Release,
        Action::Reverse { .. } => PostingType::Reversal,
        Action::Refund { .. } => PostingType::Refund,
        Action::Move(_) | Action::Capture { .. } => {
            use PostingType::{Hold, Refund, Release, Reversal};
            return !matches!(kind, Hold | Release | Reversal | Refund);
        }
    };
    kind == own
}

fn legs(legs: &[Leg], errors: &mut Vec<FieldError>) {
    count("legs", legs.len(), errors);
    // A list that is too long is not looked through.
    for (index, leg) in legs.iter().take(MAX_LEGS).enumerate() {
        positive(leg.amount.amount, || format!("legs[{index}].amount.amount"), errors);
        if leg.debit == leg.credit {
            let field = format!("legs[{index}].credit");
            errors.push(FieldError::new(field, "same_account", "must not be the debited account"));
        }
    }
}

fn shares(field: &str, shares: &[Share], errors: &mut Vec<FieldError>) {
    count(field, shares.len(), errors);
    for (index, share) in shares.iter().take(MAX_LEGS).enumerate() {
        positive(share.amount.amount, || format!("{field}[{index}].amount.amount"), errors);
    }
}

fn count(field: &str, count: usize, errors: &mut Vec<FieldError>) {
    if !(1..=MAX_LEGS).contains(&count) {
        errors.push(FieldError::new(field, "out_of_range", format!("must have 1 to {MAX_LEGS} parts")));
    }
}

fn positive(amount: i64, field: impl FnOnce() -> String, errors: &mut Vec<FieldError>) {
    if amount <= 0 {
        errors.push(FieldError::new(field(), "out_of_range", "must be greater than zero"));
    }
}
