//! The BVN check: `POST /kyc/bvn/verify {bvn, firstName, lastName, dateOfBirth}`.
//!
//! The last digit of the BVN decides: 9 the names differ, 8 not found, 7 slow, 6 unavailable the first time it is
//! asked for and a match after, any other a match. The answer is `{"status":"match"|"mismatch"|"not_found",
//! "mismatched":[…]}`. A BVN is logged masked.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, extract::State};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{error::Refusal, extract::Body, twin::Twin};

/// Eleven digits that do not print.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bvn(String);

impl Bvn {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let valid = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(Refusal::bad("bvn must have eleven digits.")) }
    }

    pub(crate) fn names_differ(&self) -> bool {
        self.0.ends_with('9')
    }

    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    pub(crate) fn masked(&self) -> String {
        format!("*******{}", &self.0[7..])
    }
}

impl fmt::Debug for Bvn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The BVNs that were asked for once; not kept over a stop.
#[derive(Debug, Default)]
pub(crate) struct FirstAsked(Mutex<HashSet<Bvn>>);

impl FirstAsked {
    pub(crate) fn is_first(&self, bvn: &Bvn) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(bvn.clone())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verify {
    bvn: String,
    first_name: String,
    last_name: String,
    date_of_birth: String,
}

pub(crate) async fn verify(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<Verify>,
) -> Result<Json<Value>, Refusal> {
    let bvn = Bvn::parse(&request.bvn)?;
    if request.first_name.trim().is_empty() || request.last_name.trim().is_empty() {
        return Err(Refusal::bad("firstName and lastName must not be empty."));
    }
    if request.date_of_birth.parse::<NaiveDate>().is_err() {
        return Err(Refusal::bad("dateOfBirth must be a date, YYYY-MM-DD."));
    }
    tracing::info!(bvn = ?bvn, "BVN check");
    match bvn.digits().as_bytes().last() {
        Some(b'9') => Ok(answer("mismatch", &["firstName", "lastName"])),
        Some(b'8') => Ok(answer("not_found", &[])),
        Some(b'7') => {
            tokio::select! {
                () = tokio::time::sleep(twin.config.kyc_slow) => Ok(answer("match", &[])),
                () = twin.stop.cancelled() => Err(Refusal::unavailable()),
            }
        }
        Some(b'6') if twin.kyc_asked.is_first(&bvn) => Err(Refusal::unavailable()),
        _ => Ok(answer("match", &[])),
    }
}

fn answer(status: &str, mismatched: &[&str]) -> Json<Value> {
    Json(json!({ "status": status, "mismatched": mismatched }))
}
