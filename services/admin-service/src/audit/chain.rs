//! The chain: every entry carries the SHA-256 of itself, and itself carries the hash of the entry before.
//!
//! `hash` is the lower-case hex of SHA-256 over the canonical JSON of the entry as the API shows it, without its
//! field `hash`. So what is hashed has exactly these fields:
//! `action, actor{id,type}, correlationId, details, occurredAt, previousHash, sequence, subject{id,type}`.
//!
//! Canonical JSON: UTF-8; the keys of every object sorted by code point; no space between tokens; numbers are whole
//! and in plain decimal; in strings only `"`, `\` and the characters below U+0020 are escaped, the latter as
//! `\b \t \n \f \r` or `\u00xx` with lower-case digits. `occurredAt` is RFC 3339 in UTC with six digits and `Z`.
//! The first entry has sequence 1 and a previousHash of 64 zeros. In Python an entry `e` of the API is recomputed by
//!
//! ```python
//! text = json.dumps({k: v for k, v in e.items() if k != "hash"},
//!                   sort_keys=True, separators=(",", ":"), ensure_ascii=False)
//! assert hashlib.sha256(text.encode()).hexdigest() == e["hash"]
//! ```

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

/// What the first entry follows.
pub(crate) const GENESIS: Hash = [0; 32];

/// An actor or subject: what kind of thing, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// What happened, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) actor: Reference,
    pub(crate) action: String,
    pub(crate) subject: Reference,
    pub(crate) correlation_id: String,
    pub(crate) details: Map<String, Value>,
}

/// The end of the chain: the number and hash of the last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: i64,
    pub(crate) hash: Hash,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) sequence: i64,
    pub(crate) record: Record,
    pub(crate) previous_hash: Hash,
    pub(crate) hash: Hash,
}

impl Entry {
    /// The entry that follows `head`. None after the 2⁶³rd.
    pub(crate) fn after(head: &Head, record: Record) -> Option<Self> {
        let sequence = head.sequence.checked_add(1)?;
        let hash = hash(sequence, &record, &head.hash);
        Some(Self { sequence, record, previous_hash: head.hash, hash })
    }

    pub(crate) fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }

    /// Whether the entry still says what it said when it was hashed.
    pub(crate) fn untouched(&self) -> bool {
        hash(self.sequence, &self.record, &self.previous_hash) == self.hash
    }
}

/// As in the hash, so in the API.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn hash(sequence: i64, record: &Record, previous_hash: &Hash) -> Hash {
    let Record { occurred_at, actor, action, subject, correlation_id, details } = record;
    let reference = |reference: &Reference| json!({ "type": reference.kind, "id": reference.id });
    let entry = json!({
        "sequence": sequence,
        "occurredAt": time_text(*occurred_at),
        "actor": reference(actor),
        "action": action,
        "subject": reference(subject),
        "correlationId": correlation_id,
        "details": details,
        "previousHash": hex::encode(previous_hash),
    });
    let mut text = String::with_capacity(512);
    write_canonical(&entry, &mut text);
    Sha256::digest(text).into()
}

/// serde_json escapes as described above; the order of keys is ours to give.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            text.push('{');
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let details = json!({
            "status": "completed", "amount": { "currency": "NGN", "amount": 150_000 }, "list": [null, true],
            "note": "Ọ̀ní \"said\" \\ \n\u{1}\u{7f}€😀/"
        });
        Record {
            occurred_at: "2026-11-01T10:00:00.5Z".parse().unwrap(),
            actor: Reference { kind: "user".to_owned(), id: "ada".to_owned() },
            action: "transaction.completed".to_owned(),
            subject: Reference { kind: "transaction".to_owned(), id: "t-1".to_owned() },
            correlation_id: "c-1".to_owned(),
            details: details.as_object().unwrap().clone(),
        }
    }

    /// The value was computed with the Python of the module's head.
    #[test]
    fn an_outsider_computes_the_same_hash() {
        let entry = Entry::after(&Head { sequence: 0, hash: GENESIS }, record()).unwrap();
        assert_eq!(
            hex::encode(entry.hash),
            "4d944a2b521935ed9ade274114ee086da7b5c6b240b5b62e2b159afe2cead675"
        );
    }

    #[test]
    fn every_field_counts() {
        let entry = Entry::after(&Head { sequence: 6, hash: [7; 32] }, record()).unwrap();
        assert!(entry.untouched());
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.sequence += 1,
            |entry| entry.previous_hash[31] ^= 1,
            |entry| entry.record.occurred_at += chrono::TimeDelta::microseconds(1),
            |entry| entry.record.actor.kind.push('x'),
            |entry| entry.record.action.push('x'),
            |entry| entry.record.subject.id.push('x'),
            |entry| entry.record.correlation_id.push('x'),
            |entry| drop(entry.record.details.insert("status".to_owned(), json!("failed"))),
            |entry| entry.hash[0] ^= 1,
        ];
        for (which, change) in changes.iter().enumerate() {
            let mut damaged = entry.clone();
            change(&mut damaged);
            assert!(!damaged.untouched(), "change {which}");
        }
    }
}
