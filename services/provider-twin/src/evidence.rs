//! The NIN check and the look at documents, beside the BVN check of `kyc`.
//!
//! `POST /kyc/nin/verify {nin, firstName, lastName, dateOfBirth}`: the last digit of the NIN decides. 9 somebody else's, 8 not found, 7 slow,
//! 6 unavailable the first time it is asked for and a match after, 5 a partial match (of the first name the record has an initial), 4 a
//! match whose record has one name only, 3 a match in another order and with accents, any other a match.
//!
//! `POST /kyc/documents/verify {kind, contentType, content, firstName, lastName, address?}`, the content in base64: what stands in the
//! file decides. `twin:mismatch`, `twin:partial`, `twin:slow` or `twin:down` anywhere in it, for example behind the end of a JPEG or in a
//! comment of a PDF; any other is a match.
//!
//! The answer is `{"status":"match"|"partial"|"mismatch"|"not_found","registeredName":…}`.

use std::sync::Arc;

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    error::Refusal,
    extract::Body,
    kyc::{Bvn, SOMEBODY_ELSE},
    twin::Twin,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VerifyNin {
    nin: String,
    first_name: String,
    last_name: String,
    date_of_birth: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VerifyDocument {
    kind: String,
    content_type: String,
    content: String,
    first_name: String,
    last_name: String,
    #[expect(dead_code, reason = "a part of the contract that decides nothing here")]
    address: Option<String>,
}

pub(crate) async fn verify_nin(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<VerifyNin>,
) -> Result<Json<Value>, Refusal> {
    // Eleven digits, too.
    let nin = Bvn::parse(&request.nin).map_err(|_| Refusal::bad("nin must have eleven digits."))?;
    let (first, last) = names(&request.first_name, &request.last_name)?;
    if request.date_of_birth.parse::<NaiveDate>().is_err() {
        return Err(Refusal::bad("dateOfBirth must be a date, YYYY-MM-DD."));
    }
    tracing::info!(nin = ?nin, "NIN check");
    let whole = format!("{} {}", last.to_uppercase(), first.to_uppercase());
    match nin.digits().as_bytes().last() {
        Some(b'9') => Ok(answer("mismatch", Some(SOMEBODY_ELSE))),
        Some(b'8') => Ok(answer("not_found", None)),
        Some(b'7') => slow(&twin, &whole).await,
        Some(b'6') if twin.nin_asked.is_first(&nin) => Err(Refusal::unavailable()),
        Some(b'5') => {
            let initial: String = first.chars().take(1).collect();
            Ok(answer("partial", Some(&format!("{last}, {initial}."))))
        }
        Some(b'4') => Ok(answer("match", Some(last))),
        Some(b'3') => Ok(answer("match", Some(&format!("{}, {}", accented(last), accented(first))))),
        _ => Ok(answer("match", Some(&whole))),
    }
}

pub(crate) async fn verify_document(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<VerifyDocument>,
) -> Result<Json<Value>, Refusal> {
    let (first, last) = names(&request.first_name, &request.last_name)?;
    let content = STANDARD.decode(&request.content).map_err(|_| Refusal::bad("content must be base64."))?;
    if content.is_empty() || request.content_type.is_empty() {
        return Err(Refusal::bad("content and contentType must not be empty."));
    }
    tracing::info!(kind = request.kind, bytes = content.len(), "document check");
    let name = format!("{first} {last}");
    let says = |word: &str| content.windows(word.len()).any(|window| window == word.as_bytes());
    if says("twin:down") {
        return Err(Refusal::unavailable());
    }
    if says("twin:slow") {
        return slow(&twin, &name).await;
    }
    Ok(if says("twin:mismatch") {
        answer("mismatch", None)
    } else if says("twin:partial") {
        answer("partial", Some(&name))
    } else {
        answer("match", Some(&name))
    })
}

fn names<'a>(first: &'a str, last: &'a str) -> Result<(&'a str, &'a str), Refusal> {
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() || last.is_empty() {
        return Err(Refusal::bad("firstName and lastName must not be empty."));
    }
    Ok((first, last))
}

async fn slow(twin: &Twin, name: &str) -> Result<Json<Value>, Refusal> {
    tokio::select! {
        () = tokio::time::sleep(twin.config.kyc_slow) => Ok(answer("match", Some(name))),
        () = twin.stop.cancelled() => Err(Refusal::unavailable()),
    }
}

/// As a register that writes Yoruba well has it.
fn accented(name: &str) -> String {
    name.chars()
        .flat_map(|letter| [Some(letter), "aeiouAEIOU".contains(letter).then_some('\u{300}')])
        .flatten()
        .collect()
}

fn answer(status: &str, registered_name: Option<&str>) -> Json<Value> {
    Json(json!({ "status": status, "registeredName": registered_name }))
}
