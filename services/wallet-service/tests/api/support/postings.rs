//! Postings as other services write them.

use axum::http::StatusCode;
use common_utils::ids::{self, TransactionId, WalletId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, World};

pub(crate) const PATH: &str = "/internal/v1/postings";
/// An hour after a [`World`] begins.
pub(crate) const ONE: &str = "2026-01-01T13:00:00Z";

pub(crate) fn naira(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "NGN" })
}

pub(crate) fn wallet(id: WalletId) -> Value {
    json!({ "walletId": id })
}

pub(crate) fn platform(code: &str) -> Value {
    json!({ "platform": code })
}

pub(crate) fn leg(debit: &Value, credit: &Value, amount: i64) -> Value {
    json!({ "debit": debit, "credit": credit, "amount": naira(amount) })
}

pub(crate) fn share(account: &Value, amount: i64) -> Value {
    json!({ "account": account, "amount": naira(amount) })
}

/// A posting that does this.
pub(crate) fn posting(kind: &str, action: &str, body: &Value) -> Value {
    json!({ "id": TransactionId::new(), "type": kind, "description": "Lunch", action: body })
}

pub(crate) fn pay(from: WalletId, to: WalletId, amount: i64) -> Value {
    posting("transfer", "legs", &json!([leg(&wallet(from), &wallet(to), amount)]))
}

/// Until [`ONE`].
pub(crate) fn hold(of: WalletId, amount: i64) -> Value {
    posting("hold", "hold", &json!({ "walletId": of, "amount": naira(amount), "expiresAt": ONE }))
}

pub(crate) fn capture_all(hold: &Value, to: &Value) -> Value {
    let all = json!({ "account": to, "currency": "NGN" });
    posting("withdrawal", "capture", &json!({ "holdId": hold["id"], "all": all }))
}

pub(crate) fn capture(hold: &Value, to: &[Value]) -> Value {
    posting("withdrawal", "capture", &json!({ "holdId": hold["id"], "to": to }))
}

pub(crate) fn capture_and_release(hold: &Value, to: &[Value]) -> Value {
    posting("withdrawal", "capture", &json!({ "holdId": hold["id"], "to": to, "releaseRest": true }))
}

pub(crate) fn release(hold: &Value) -> Value {
    posting("release", "release", &json!({ "holdId": hold["id"] }))
}

pub(crate) fn reverse(earlier: &Value) -> Value {
    posting("reversal", "reverse", &json!({ "postingId": earlier["id"] }))
}

pub(crate) fn refund(earlier: &Value, from: &[Value]) -> Value {
    posting("refund", "refund", &json!({ "postingId": earlier["id"], "from": from }))
}

/// The posting with something in it put another way; its id stays.
pub(crate) fn with(mut posting: Value, pointer: &str, value: Value) -> Value {
    *posting.pointer_mut(pointer).unwrap() = value;
    posting
}

/// `posted`, or the code of the refusal, of each.
pub(crate) fn outcomes(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let results = answer.body["results"].as_array().unwrap().iter();
    let outcome = |result: &'_ Value| result["outcome"] == "posted";
    results
        .map(|result| if outcome(result) { "posted" } else { result["refusal"]["code"].as_str().unwrap() })
        .collect()
}

pub(crate) fn replayed(answer: &Answer) -> Vec<bool> {
    let results = answer.body["results"].as_array().unwrap().iter();
    results.map(|result| result["replayed"].as_bool().unwrap()).collect()
}

impl World {
    pub(crate) async fn post_list(&self, list: &[Value]) -> Answer {
        self.internal_post(PATH, &json!({ "postings": list })).await
    }

    pub(crate) async fn post_atomic(&self, group: Uuid, list: &[Value]) -> Answer {
        let body = json!({ "postings": list, "atomic": true, "groupId": group });
        self.internal_post(PATH, &body).await
    }

    /// As a group of its own.
    pub(crate) async fn post_group(&self, list: &[Value]) -> Answer {
        self.post_atomic(ids::new_id(), list).await
    }

    /// The refusal of this one posting.
    pub(crate) async fn refusal_of(&self, posting: &Value) -> Value {
        let answer = self.post_list(std::slice::from_ref(posting)).await;
        answer.body["results"][0]["refusal"].clone()
    }

    /// Fails the test unless it is posted.
    pub(crate) async fn is_posted(&self, posting: &Value) {
        self.all_posted(std::slice::from_ref(posting)).await;
    }

    /// Fails the test unless each is posted.
    pub(crate) async fn all_posted(&self, list: &[Value]) {
        let answer = self.post_list(list).await;
        assert!(outcomes(&answer).iter().all(|outcome| *outcome == "posted"), "{answer:?}");
    }

    /// Sends each again, and then under the same id with other content: the first answer stands.
    pub(crate) async fn stands_by(&self, list: &[Value]) {
        let again = self.post_list(list).await;
        assert!(replayed(&again).iter().all(|replayed| *replayed), "{again:?}");
        for posting in list {
            let other = with(posting.clone(), "/description", json!("Dinner"));
            assert_eq!(self.refusal_of(&other).await["code"], "content_mismatch", "{other}");
        }
        let after = self.post_list(list).await;
        assert_eq!(again.body, after.body);
    }
}
