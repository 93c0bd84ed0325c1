//! From an event to what the audit log keeps of it: ids, amounts, statuses and codes, and nothing by which a person
//! is known beside their id.
//!
//! Only the fields listed here are kept, at any depth, so a field that an event gets later stays out until it is
//! listed. Account numbers keep their last four digits. What is left out is named in `redacted`.

use chrono::SubsecRound;
use common_events::Event;
use serde_json::{Map, Value};

use super::chain::{Record, Reference};

/// Names, email addresses, phone numbers and what people write about a payment are not among them. `reason` is what
/// staff give for an act of theirs.
const KEPT: &[&str] = &[
    "accounts",
    "action",
    "amount",
    "assigneeId",
    "balanceAfter",
    "bankCode",
    "blockedAt",
    "blockedUntil",
    "captured",
    "caseId",
    "ceiling",
    "changedAt",
    "completedAt",
    "consumerGroup",
    "country",
    "createdAt",
    "currency",
    "decidedAt",
    "deliveries",
    "deliveryId",
    "documentId",
    "emailVerified",
    "endedAt",
    "endpointId",
    "entryId",
    "erasedAt",
    "evidence",
    "evidenceUntil",
    "eventId",
    "eventType",
    "eventTypes",
    "expiresAt",
    "failure",
    "failures",
    "fee",
    "floor",
    "freeze",
    "fromUserId",
    "fromWalletId",
    "holdId",
    "id",
    "issuedAt",
    "kycTier",
    "letterId",
    "lockedAt",
    "lockedUntil",
    "newTier",
    "oldTier",
    "origin",
    "periodFrom",
    "periodTo",
    "phoneVerified",
    "postedAt",
    "priority",
    "provider",
    "providerReference",
    "reason",
    "reference",
    "refusedUntil",
    "relatedTo",
    "remaining",
    "requesterId",
    "resolvedAt",
    "reviewRound",
    "roles",
    "sequence",
    "sessionId",
    "sourceHash",
    "status",
    "ticketId",
    "tier",
    "toUserId",
    "toWalletId",
    "topic",
    "transactionId",
    "transactionType",
    "type",
    "userId",
    "viewedAt",
    "walletId",
];
const MASKED: &[&str] = &["accountNumber"];

/// Longer values are cut: entries stay small, and index keys within what an index takes.
const LONGEST_NAME: usize = 100;
const LONGEST_TEXT: usize = 500;

impl Record {
    pub(crate) fn of(event: &Event) -> serde_json::Result<Self> {
        let (kind, id) = event.actor.parts();
        let actor = reference(kind, id);
        let (kind, id) = event.subject.split_once('/').unwrap_or(("unknown", &event.subject));
        Ok(Self {
            // Postgres keeps microseconds, and the hash is over what is kept.
            occurred_at: event.time.trunc_subsecs(6),
            actor,
            action: text(&event.kind, LONGEST_NAME),
            subject: reference(kind, id),
            correlation_id: text(&event.correlationid, LONGEST_NAME),
            details: details(&serde_json::from_str(event.data.get())?),
        })
    }
}

fn reference(kind: &str, id: &str) -> Reference {
    Reference { kind: text(kind, LONGEST_NAME), id: text(id, LONGEST_NAME) }
}

/// Postgres takes no U+0000.
fn text(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|letter| if letter == '\0' { '\u{fffd}' } else { letter }).collect()
}

fn details(data: &Value) -> Map<String, Value> {
    let mut redacted = Vec::new();
    let mut kept = match data {
        Value::Object(fields) => kept_fields(fields, &mut redacted),
        _ => Map::new(),
    };
    if !redacted.is_empty() {
        redacted.sort_unstable();
        redacted.dedup();
        kept.insert("redacted".to_owned(), redacted.into_iter().map(Value::from).collect());
    }
    kept
}

fn kept_fields(fields: &Map<String, Value>, redacted: &mut Vec<String>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in fields {
        if KEPT.contains(&name.as_str()) {
            kept.insert(name.clone(), kept_value(value, redacted));
        } else {
            if MASKED.contains(&name.as_str()) {
                kept.insert(name.clone(), masked(value));
            }
            redacted.push(text(name, LONGEST_NAME));
        }
    }
    kept
}

fn kept_value(value: &Value, redacted: &mut Vec<String>) -> Value {
    match value {
        Value::Object(fields) => Value::Object(kept_fields(fields, redacted)),
        Value::Array(items) => items.iter().map(|item| kept_value(item, redacted)).collect(),
        Value::String(words) => Value::from(text(words, LONGEST_TEXT)),
        // Whole numbers have one way to be written; others are kept as text, so that the database changes nothing.
        Value::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .unwrap_or_else(|| Value::from(number.to_string())),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

fn masked(value: &Value) -> Value {
    let digits: Vec<char> = value.as_str().unwrap_or_default().chars().collect();
    let shown = if digits.len() > 4 { &digits[digits.len() - 4..] } else { &[] };
    Value::from(format!("…{}", text(&shown.iter().collect::<String>(), LONGEST_NAME)))
}

#[cfg(test)]
mod tests {
    use common_events::{
        Actor,
        contracts::{
            Amount, EntrySnapshot, KycCaseSnapshot, KycEvidenceViewSnapshot, PasswordChangeSnapshot,
            SessionEndSnapshot, SourceBlockedSnapshot, TierChangeSnapshot, TransactionSnapshot,
            UserLockSnapshot, UserSnapshot, VirtualAccountSnapshot, WalletBoundsSnapshot,
            WebhookEndpointSnapshot, WebhookResendSnapshot,
        },
    };
    use common_utils::{ids, money::Currency};
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    const PERSONAL: &[&str] =
        &["ada@example.com", "+2348030000001", "Ada", "Obi", "rent for May", "0123456789"];

    fn event(data: &impl Serialize) -> Event {
        serde_json::from_value(json!({
            "specversion": "1.0", "id": ids::new_id(), "source": "/test", "type": "test.event",
            "subject": "wallet/w-1", "time": "2026-11-01T10:00:00.123456789Z", "datacontenttype": "application/json",
            "dataschema": "/schemas/test.event.v1.json", "correlationid": "c-1",
            "actor": Actor::service("wallet-service"), "data": data,
        }))
        .unwrap()
    }

    fn redacted(data: &impl Serialize) -> Vec<String> {
        let details = Record::of(&event(data)).unwrap().details;
        let text = serde_json::to_string(&details).unwrap();
        for word in PERSONAL {
            assert!(!text.contains(word), "{word} is in {text}");
        }
        serde_json::from_value(details["redacted"].clone()).unwrap()
    }

    #[test]
    fn no_event_brings_personal_data_into_the_log() {
        let (id, at) = (ids::new_id(), chrono::DateTime::UNIX_EPOCH);
        let amount = Amount { amount: 5, currency: Currency::NGN };
        let user = UserSnapshot {
            user_id: id,
            email: "ada@example.com".to_owned(),
            phone_number: "+2348030000001".to_owned(),
            email_verified: Some(true),
            phone_verified: None,
            first_name: "Ada".to_owned(),
            last_name: "Obi".to_owned(),
            kyc_tier: 1,
            roles: vec!["user".to_owned()],
            status: "active".to_owned(),
            created_at: at,
        };
        assert_eq!(redacted(&user), ["email", "firstName", "lastName", "phoneNumber"]);
        assert_eq!(Record::of(&event(&user)).unwrap().details["emailVerified"], true);
        let account = VirtualAccountSnapshot {
            wallet_id: id,
            user_id: id,
            account_number: "0123456789".to_owned(),
            account_name: "Ada Obi".to_owned(),
            bank_name: "Providus".to_owned(),
            bank_code: "101".to_owned(),
            provider: "providus".to_owned(),
            issued_at: at,
        };
        assert_eq!(redacted(&account), ["accountName", "accountNumber", "bankName"]);
        assert_eq!(Record::of(&event(&account)).unwrap().details["accountNumber"], "…6789");
        let entry = EntrySnapshot {
            wallet_id: id,
            user_id: id,
            entry_id: id,
            sequence: 1,
            transaction_id: id,
            transaction_type: "deposit".to_owned(),
            amount,
            balance_after: 5,
            description: "rent for May".to_owned(),
            provider_reference: Some("ref-1".to_owned()),
            counterparty_name: Some("Ada Obi".to_owned()),
            posted_at: at,
        };
        assert_eq!(redacted(&entry), ["counterpartyName", "description"]);
        let transaction = TransactionSnapshot {
            transaction_id: id,
            kind: "transfer".to_owned(),
            status: "completed".to_owned(),
            amount,
            fee: amount,
            from_wallet_id: Some(id),
            to_wallet_id: Some(id),
            from_user_id: Some(id),
            to_user_id: Some(id),
            narration: Some("rent for May".to_owned()),
            reference: "TRF-1".to_owned(),
            failure: None,
            created_at: at,
            completed_at: Some(at),
        };
        assert_eq!(redacted(&transaction), ["narration"]);
        let details = Record::of(&event(&transaction)).unwrap().details;
        assert_eq!(details["amount"], json!({ "amount": 5, "currency": "NGN" }));
    }

    #[test]
    fn what_staff_order_and_a_change_of_tier_are_kept_as_a_whole() {
        let bounds = WalletBoundsSnapshot {
            wallet_id: ids::new_id(),
            user_id: ids::new_id(),
            currency: "NGN".to_owned(),
            floor: -5,
            ceiling: Some(5),
            reason: "agreed".to_owned(),
            changed_at: chrono::DateTime::UNIX_EPOCH,
        };
        let (id, at) = (ids::new_id(), chrono::DateTime::UNIX_EPOCH);
        let tier = TierChangeSnapshot {
            user_id: id,
            old_tier: 0,
            new_tier: 1,
            evidence: "bank_verification_number".to_owned(),
            changed_at: at,
        };
        let case = KycCaseSnapshot {
            user_id: id,
            case_id: id,
            country: "NG".to_owned(),
            tier: 3,
            status: "in_review".to_owned(),
            action: "approve".to_owned(),
            reason: "requirements_met".to_owned(),
            review_round: 1,
            changed_at: at,
        };
        let look = KycEvidenceViewSnapshot { user_id: id, case_id: id, document_id: Some(id), viewed_at: at };
        let endpoint = WebhookEndpointSnapshot {
            endpoint_id: id,
            status: "disabled".to_owned(),
            origin: "https://example.com".to_owned(),
            event_types: vec!["wallet.*".to_owned()],
            reason: Some("moving".to_owned()),
            changed_at: at,
        };
        let password = PasswordChangeSnapshot { user_id: id, reason: "reset".to_owned(), changed_at: at };
        let resend = WebhookResendSnapshot {
            endpoint_id: id,
            delivery_id: Some(id),
            period_from: Some(at),
            period_to: Some(at),
            deliveries: 1,
            changed_at: at,
        };
        let session = SessionEndSnapshot {
            user_id: id,
            session_id: id,
            reason: "logout".to_owned(),
            ended_at: at,
            refused_until: at,
        };
        let locked = UserLockSnapshot { user_id: id, failures: 20, locked_at: at, locked_until: at };
        let blocked = SourceBlockedSnapshot {
            source_hash: "5f70bf18".to_owned(),
            failures: 50,
            accounts: 48,
            blocked_at: at,
            blocked_until: at,
        };
        let whole = |data: Value| {
            let details = Record::of(&event(&data)).unwrap().details;
            assert_eq!(Value::Object(details), data);
        };
        whole(serde_json::to_value(&bounds).unwrap());
        whole(serde_json::to_value(&tier).unwrap());
        whole(serde_json::to_value(&case).unwrap());
        whole(serde_json::to_value(&look).unwrap());
        whole(serde_json::to_value(&password).unwrap());
        whole(serde_json::to_value(&endpoint).unwrap());
        whole(serde_json::to_value(&resend).unwrap());
        whole(serde_json::to_value(&session).unwrap());
        whole(serde_json::to_value(&locked).unwrap());
        whole(serde_json::to_value(&blocked).unwrap());
    }

    #[test]
    fn data_that_cannot_be_read_is_no_entry() {
        let mut event = event(&json!({}));
        event.data = serde_json::value::RawValue::from_string(r#""\ud800""#.to_owned()).unwrap();
        assert!(Record::of(&event).is_err());
    }

    #[test]
    fn an_unknown_field_stays_out_at_any_depth() {
        let data = json!({ "status": "active", "ssn": "1", "relatedTo": { "id": "x", "nickname": "Ada" } });
        let details = Record::of(&event(&data)).unwrap().details;
        let kept = json!({ "status": "active", "relatedTo": { "id": "x" }, "redacted": ["nickname", "ssn"] });
        assert_eq!(Value::Object(details), kept);
        assert!(Record::of(&event(&json!("words"))).unwrap().details.is_empty());
    }

    #[test]
    fn what_the_database_would_change_or_refuse_is_put_right_before() {
        let mut event =
            event(&json!({ "reason": "a\0b", "amount": 1.50, "sequence": -7, "status": "x".repeat(900) }));
        event.subject = format!("wallet/{}", "9".repeat(5000));
        event.correlationid = "\0".to_owned();
        let record = Record::of(&event).unwrap();
        assert_eq!(record.details["reason"], "a\u{fffd}b");
        assert_eq!(record.details["amount"], "1.5");
        assert_eq!(record.details["sequence"], -7);
        assert_eq!(record.details["status"].as_str().map(str::len), Some(LONGEST_TEXT));
        assert_eq!((record.subject.id.len(), record.correlation_id.as_str()), (LONGEST_NAME, "\u{fffd}"));
        assert_eq!(record.occurred_at.to_rfc3339(), "2026-11-01T10:00:00.123456+00:00");
    }
}
