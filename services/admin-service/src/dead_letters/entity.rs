//! A dead letter: open → replaying → replayed, or open → discarded. A decision is final, unless Kafka does not take the message:
//! then the letter is open again. A message that fails again after it was put back is a letter of its own.

use chrono::{DateTime, Utc};
use common_utils::ids::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = DeadLetterStatus)]
pub(crate) enum Status {
    /// Nobody has decided.
    Open,
    /// On its way back into its topic.
    Replaying,
    Replayed,
    Discarded,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replaying => "replaying",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    pub(crate) id: Uuid,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) group: String,
    pub(crate) error: String,
    pub(crate) causes: Vec<String>,
    pub(crate) attempts: i32,
    pub(crate) set_aside_at: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) event_id: Option<Uuid>,
    pub(crate) event_type: Option<String>,
    pub(crate) event_subject: Option<String>,
    pub(crate) payload_bytes: i32,
    /// The size of a message that is not in its letter.
    pub(crate) left_out: Option<i64>,
    pub(crate) status: Status,
    pub(crate) decided_by: Option<UserId>,
    pub(crate) decided_at: Option<DateTime<Utc>>,
    pub(crate) reason: Option<String>,
    pub(crate) replayed_at: Option<DateTime<Utc>>,
}

/// Whether anything was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Executed,
    AlreadyApplied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the letter was put back into its topic")]
    Replayed,
    #[error("the letter was discarded")]
    Discarded,
    #[error("the message is not in its letter")]
    LeftOut,
}

impl DeadLetter {
    pub(crate) fn replay(&mut self, by: UserId, now: DateTime<Utc>) -> Result<Change, Refusal> {
        match self.status {
            Status::Open if self.left_out.is_some() => Err(Refusal::LeftOut),
            Status::Open => Ok(self.decide(Status::Replaying, by, now)),
            Status::Replaying | Status::Replayed => Ok(Change::AlreadyApplied),
            Status::Discarded => Err(Refusal::Discarded),
        }
    }

    pub(crate) fn discard(
        &mut self,
        by: UserId,
        reason: String,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        match self.status {
            Status::Open => {
                self.reason = Some(reason);
                Ok(self.decide(Status::Discarded, by, now))
            }
            Status::Discarded => Ok(Change::AlreadyApplied),
            Status::Replaying | Status::Replayed => Err(Refusal::Replayed),
        }
    }

    fn decide(&mut self, status: Status, by: UserId, now: DateTime<Utc>) -> Change {
        self.status = status;
        self.decided_by = Some(by);
        self.decided_at = Some(now);
        Change::Executed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(status: Status) -> DeadLetter {
        DeadLetter {
            id: Uuid::nil(),
            topic: "user-events".to_owned(),
            partition: 0,
            offset: 0,
            group: "names".to_owned(),
            error: String::new(),
            causes: Vec::new(),
            attempts: 5,
            set_aside_at: DateTime::UNIX_EPOCH,
            received_at: DateTime::UNIX_EPOCH,
            event_id: None,
            event_type: None,
            event_subject: None,
            payload_bytes: 0,
            left_out: None,
            status,
            decided_by: None,
            decided_at: None,
            reason: None,
            replayed_at: None,
        }
    }

    #[test]
    fn a_decision_is_final_and_may_be_repeated() {
        use Change::{AlreadyApplied, Executed};
        let table = [
            (Status::Open, Ok(Executed), Ok(Executed)),
            (Status::Replaying, Ok(AlreadyApplied), Err(Refusal::Replayed)),
            (Status::Replayed, Ok(AlreadyApplied), Err(Refusal::Replayed)),
            (Status::Discarded, Err(Refusal::Discarded), Ok(AlreadyApplied)),
        ];
        let (by, now) = (UserId::new(), DateTime::UNIX_EPOCH);
        for (status, replayed, discarded) in table {
            let mut one = letter(status);
            assert_eq!(one.replay(by, now), replayed, "{status:?}");
            assert_eq!(one.decided_by.is_some(), replayed == Ok(Executed));
            let mut other = letter(status);
            assert_eq!(other.discard(by, "old".to_owned(), now), discarded, "{status:?}");
            assert_eq!(other.reason.is_some(), discarded == Ok(Executed));
        }
    }

    #[test]
    fn what_is_not_there_is_not_put_back() {
        let mut letter = DeadLetter { left_out: Some(20_000_000), ..letter(Status::Open) };
        assert_eq!(letter.replay(UserId::new(), DateTime::UNIX_EPOCH), Err(Refusal::LeftOut));
        assert_eq!(letter.status, Status::Open);
    }
}
