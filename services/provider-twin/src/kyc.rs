//! The BVN check: `POST /kyc/bvn/verify {bvn, firstName, lastName, dateOfBirth}`.
//!
//! The last digit of the BVN decides: 9 the names differ, 8 not found, 7 slow, 6 unavailable the first time it is
//! asked for and a match after, any other a match. The answer is `{"status":"match"|"partial"|"mismatch"|"not_found",
//! "mismatched":[…],"registeredName":…}`. `POST /twin/bvn-records` says of one number what is answered in the place of that, for
//! answers that no digit gives; it is not kept over a stop. A BVN is logged masked.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, extract::State, http::StatusCode};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{error::Refusal, extract::Body, twin::Twin};

pub(crate) const SOMEBODY_ELSE: &str = "BELLO MUSA";
/// Numbers whose answer can be told at a time.
const MOST_RECORDS: usize = 1_000;

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

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Match,
    Partial,
    Mismatch,
    NotFound,
}

/// What is answered about a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Record {
    status: Status,
    #[serde(default)]
    mismatched: Vec<String>,
    registered_name: Option<String>,
}

/// The answers that were told.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<HashMap<Bvn, Record>>);

impl Records {
    fn of(&self, bvn: &Bvn) -> Option<Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(bvn).cloned()
    }

    /// False: there are as many as can be.
    fn tell(&self, bvn: Bvn, record: Record) -> bool {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = records.len() < MOST_RECORDS || records.contains_key(&bvn);
        if fits {
            records.insert(bvn, record);
        }
        fits
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tell {
    bvn: String,
    answer: Record,
}

/// From now on the number is answered like this.
pub(crate) async fn tell(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<Tell>,
) -> Result<StatusCode, Refusal> {
    let told = twin.kyc_records.tell(Bvn::parse(&request.bvn)?, request.answer);
    if told {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::bad("Enough numbers have answers of their own."))
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
) -> Result<Json<Record>, Refusal> {
    let bvn = Bvn::parse(&request.bvn)?;
    let (first, last) = (request.first_name.trim(), request.last_name.trim());
    if first.is_empty() || last.is_empty() {
        return Err(Refusal::bad("firstName and lastName must not be empty."));
    }
    if request.date_of_birth.parse::<NaiveDate>().is_err() {
        return Err(Refusal::bad("dateOfBirth must be a date, YYYY-MM-DD."));
    }
    tracing::info!(bvn = ?bvn, "BVN check");
    if let Some(record) = twin.kyc_records.of(&bvn) {
        return Ok(Json(record));
    }
    let found =
        answer(Status::Match, &[], Some(&format!("{} {}", last.to_uppercase(), first.to_uppercase())));
    match bvn.digits().as_bytes().last() {
        Some(b'9') => Ok(answer(Status::Mismatch, &["firstName", "lastName"], Some(SOMEBODY_ELSE))),
        Some(b'8') => Ok(answer(Status::NotFound, &[], None)),
        Some(b'7') => {
            tokio::select! {
                () = tokio::time::sleep(twin.config.kyc_slow) => Ok(found),
                () = twin.stop.cancelled() => Err(Refusal::unavailable()),
            }
        }
        Some(b'6') if twin.kyc_asked.is_first(&bvn) => Err(Refusal::unavailable()),
        _ => Ok(found),
    }
}

fn answer(status: Status, mismatched: &[&str], registered_name: Option<&str>) -> Json<Record> {
    let mismatched = mismatched.iter().map(|field| (*field).to_owned()).collect();
    Json(Record { status, mismatched, registered_name: registered_name.map(str::to_owned) })
}
