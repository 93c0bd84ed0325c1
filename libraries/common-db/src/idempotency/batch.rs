//! Keys of many calls, claimed together.
//!
//! The claim is part of the one statement that does the work, by the database's `idempotency_claim`, so that a key is used
//! exactly when its work is done. That function answers with the resources whose keys are new.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Claim, IdempotencyKey, Remembered, RequestHash};

/// One key of a batch. The resource is new with this claim: no other claim names it.
#[derive(Debug)]
pub struct NewClaim<'a> {
    pub caller: &'a str,
    pub key: &'a IdempotencyKey,
    pub hash: &'a RequestHash,
    pub resource_id: Uuid,
}

/// The claims of a batch as `idempotency_claim` takes them.
#[derive(Debug)]
pub struct ClaimColumns<'a> {
    pub callers: Vec<&'a str>,
    pub keys: Vec<&'a str>,
    pub hashes: Vec<&'a [u8]>,
    pub resources: Vec<Uuid>,
}

impl<'a> ClaimColumns<'a> {
    pub fn of(claims: &[NewClaim<'a>]) -> Self {
        Self {
            callers: claims.iter().map(|claim| claim.caller).collect(),
            keys: claims.iter().map(|claim| claim.key.as_str()).collect(),
            hashes: claims.iter().map(|claim| claim.hash.as_bytes()).collect(),
            resources: claims.iter().map(|claim| claim.resource_id).collect(),
        }
    }
}

/// The answers to the claims, in their order, once it is committed how many of them are fresh. Of two claims of the same key
/// one is fresh and the other known.
pub async fn answers(
    connection: &mut PgConnection,
    claims: &[NewClaim<'_>],
    fresh: usize,
) -> sqlx::Result<Vec<Claim>> {
    if fresh == claims.len() {
        return Ok(claims.iter().map(|_| Claim::Fresh).collect());
    }
    let ClaimColumns { callers, keys, .. } = ClaimColumns::of(claims);
    let rows = sqlx::query_as!(
        Remembered,
        "SELECT known.request_hash, known.resource_id, known.response_status, known.response_body
         FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS asked (caller, key, place)
         JOIN idempotency_keys known USING (caller, key)
         ORDER BY asked.place",
        &callers as &[&str],
        &keys as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let claimed = |claim: &NewClaim<'_>, row: Remembered| {
        if row.resource_id == Some(claim.resource_id) { Claim::Fresh } else { row.held_against(claim.hash) }
    };
    Ok(claims.iter().zip(rows).map(|(claim, row)| claimed(claim, row)).collect())
}
