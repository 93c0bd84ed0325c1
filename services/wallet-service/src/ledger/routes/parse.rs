//! From what a call brings to postings, or to everything that is malformed in it. Fields are named from the body on:
//! `postings[3].capture.to[0].account`.

use std::collections::HashSet;

use common_events::Actor;
use common_utils::{
    correlation,
    http::{FieldErrors, Problem},
    ids::TransactionId,
};

use super::body::{
    AccountBody, CaptureBody, HoldBody, LegBody, PostPostings, PostingBody, RefundBody, ReleaseBody,
    ReverseBody, ShareBody,
};
use crate::ledger::{AccountRef, Action, Capture, Leg, Origin, Posting, Share, posting::Request};

/// How many postings one call may bring.
const MAX_POSTINGS: usize = 1000;
const MAX_ORIGIN: usize = 200;
const MAX_TRACEPARENT: usize = 100;

pub(super) fn postings(body: PostPostings, caller: &str) -> Result<Vec<Posting>, Problem> {
    let PostPostings { postings: bodies, atomic, group_id } = body;
    if bodies.is_empty() || bodies.len() > MAX_POSTINGS {
        let message = format!("must be 1 to {MAX_POSTINGS} postings");
        return Err(Problem::invalid_field("postings", "out_of_range", message));
    }
    let mut errors = FieldErrors::new();
    match group_id {
        None if atomic => errors.push("groupId", "required", "must be given with atomic"),
        Some(_) if !atomic => errors.push("groupId", "invalid", "goes with atomic, and only with it"),
        _ => {}
    }
    let mut ids = HashSet::new();
    let mut postings = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.into_iter().enumerate() {
        let mut reader = Reader { index, errors: &mut errors };
        if atomic && !ids.insert(body.id) {
            reader.wrong("id", "duplicate", "must not be that of another posting of an atomic list");
        }
        postings.extend(reader.posting(body, caller));
    }
    errors.into_result()?;
    Ok(match group_id {
        Some(group) => postings.into_iter().map(|posting| posting.in_group(group)).collect(),
        None => postings,
    })
}

/// What a posting says that it does.
enum Asked {
    Legs(Vec<LegBody>),
    Hold(HoldBody),
    Capture(CaptureBody),
    Release(ReleaseBody),
    Reverse(ReverseBody),
    Refund(RefundBody),
}

/// Reads one posting of the list, and notes what is wrong with it.
struct Reader<'a> {
    index: usize,
    errors: &'a mut FieldErrors,
}

impl Reader<'_> {
    fn wrong(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.errors.push(format!("postings[{}].{field}", self.index), code, message);
    }

    fn posting(&mut self, body: PostingBody, caller: &str) -> Option<Posting> {
        let origin = Origin {
            actor: Some(Actor::service(caller)),
            provider_reference: self.told("providerReference", body.provider_reference),
            counterparty_name: self.told("counterpartyName", body.counterparty_name),
            request: self.request(body.correlation_id, body.traceparent),
        };
        let asked = self.only_one([
            body.legs.map(|body| ("legs", Asked::Legs(body))),
            body.hold.map(|body| ("hold", Asked::Hold(body))),
            body.capture.map(|body| ("capture", Asked::Capture(body))),
            body.release.map(|body| ("release", Asked::Release(body))),
            body.reverse.map(|body| ("reverse", Asked::Reverse(body))),
            body.refund.map(|body| ("refund", Asked::Refund(body))),
        ])?;
        let action = self.action(asked)?;
        match Posting::of(TransactionId::from(body.id), body.kind, body.description, action) {
            Ok(posting) => Some(posting.with_origin(origin)),
            Err(misfits) => {
                for misfit in misfits {
                    self.errors.push(
                        format!("postings[{}].{}", self.index, misfit.field),
                        misfit.code,
                        misfit.message,
                    );
                }
                None
            }
        }
    }

    /// A posting does one thing. All that stands beside the first is too much.
    fn only_one(&mut self, asked: [Option<(&'static str, Asked)>; 6]) -> Option<Asked> {
        let mut asked = asked.into_iter().flatten();
        let Some((first, action)) = asked.next() else {
            let message = "is missing, and so are hold, capture, release, reverse and refund";
            self.wrong("legs", "required", message);
            return None;
        };
        let mut alone = true;
        for (name, _) in asked {
            self.wrong(name, "invalid", format!("must not stand beside {first}: a posting does one thing"));
            alone = false;
        }
        alone.then_some(action)
    }

    fn action(&mut self, asked: Asked) -> Option<Action> {
        Some(match asked {
            Asked::Legs(legs) => Action::Move(self.legs(legs)?),
            Asked::Hold(HoldBody { wallet_id, amount, expires_at }) => {
                Action::Hold { account: AccountRef::Wallet(wallet_id), amount, expires_at }
            }
            Asked::Capture(capture) => {
                Action::Capture { hold: capture.hold_id.into(), to: self.capture(capture)? }
            }
            Asked::Release(ReleaseBody { hold_id }) => Action::Release { hold: hold_id.into() },
            Asked::Reverse(ReverseBody { posting_id }) => Action::Reverse { posting: posting_id.into() },
            Asked::Refund(RefundBody { posting_id, from }) => {
                Action::Refund { posting: posting_id.into(), from: self.shares("refund.from", from)? }
            }
        })
    }

    fn capture(&mut self, body: CaptureBody) -> Option<Capture> {
        let CaptureBody { all, to, release_rest, .. } = body;
        match (all, to) {
            (Some(all), None) => {
                if release_rest.is_some() {
                    self.wrong("capture.releaseRest", "invalid", "goes with to: of all there is no rest");
                }
                let to = self.account(all.account, || "capture.all.account".to_owned())?;
                Some(Capture::Whole { to, currency: all.currency })
            }
            (None, Some(to)) => {
                let to = self.shares("capture.to", to)?;
                Some(Capture::Part { to, release_rest: release_rest.unwrap_or(false) })
            }
            (None, None) => {
                self.wrong("capture.to", "required", "is missing, and so is all");
                None
            }
            (Some(_), Some(_)) => {
                self.wrong("capture.to", "invalid", "must not stand beside all");
                None
            }
        }
    }

    fn legs(&mut self, bodies: Vec<LegBody>) -> Option<Vec<Leg>> {
        let count = bodies.len();
        let mut legs = Vec::with_capacity(count);
        for (index, body) in bodies.into_iter().enumerate() {
            let debit = self.account(body.debit, || format!("legs[{index}].debit"));
            let credit = self.account(body.credit, || format!("legs[{index}].credit"));
            legs.extend(debit.zip(credit).map(|(debit, credit)| Leg { debit, credit, amount: body.amount }));
        }
        (legs.len() == count).then_some(legs)
    }

    fn shares(&mut self, field: &str, bodies: Vec<ShareBody>) -> Option<Vec<Share>> {
        let count = bodies.len();
        let mut shares = Vec::with_capacity(count);
        for (index, ShareBody { account, amount }) in bodies.into_iter().enumerate() {
            let account = self.account(account, || format!("{field}[{index}].account"));
            shares.extend(account.map(|account| Share { account, amount }));
        }
        (shares.len() == count).then_some(shares)
    }

    fn account(&mut self, body: AccountBody, field: impl FnOnce() -> String) -> Option<AccountRef> {
        match (body.wallet_id, body.platform) {
            (Some(id), None) => Some(AccountRef::Wallet(id)),
            (None, Some(code)) => Some(AccountRef::Platform(code)),
            _ => {
                self.wrong(&field(), "invalid", "must name either walletId or platform");
                None
            }
        }
    }

    fn told(&mut self, field: &str, text: Option<String>) -> Option<String> {
        if text.as_ref().is_some_and(|text| text.chars().count() > MAX_ORIGIN) {
            self.wrong(field, "out_of_range", format!("must be at most {MAX_ORIGIN} characters"));
        }
        text
    }

    /// The request that the posting names. Of the running one it takes nothing but the correlation id, and that only
    /// if it names none: the running trace is that of a list which many requests may share.
    fn request(&mut self, correlation_id: Option<String>, traceparent: Option<String>) -> Option<Request> {
        if let Some(id) = &correlation_id
            && correlation::accept(Some(id)) != *id
        {
            self.wrong("correlationId", "invalid", "must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'");
        }
        if let Some(parent) = &traceparent
            && !is_traceparent(parent)
        {
            let message = format!("must be 1 to {MAX_TRACEPARENT} printable ASCII characters");
            self.wrong("traceparent", "invalid", message);
        }
        if correlation_id.is_none() && traceparent.is_none() {
            return None;
        }
        let correlation_id = correlation_id.unwrap_or_else(correlation::current);
        Some(Request { correlation_id, traceparent })
    }
}

/// The outline of one: readers of events check the rest, as the versions of its format may differ.
fn is_traceparent(text: &str) -> bool {
    (1..=MAX_TRACEPARENT).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
