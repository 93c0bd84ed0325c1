//! A delivery: pending → delivered, or pending → failed when the last attempt of its schedule did, or → cancelled when its
//! endpoint is disabled. It may be sent again from any end, under the same id of the message.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{entity::Change, subscription::TEST_TYPE};

/// From a failed attempt to the next one; after the last of them the delivery has failed. About 28 hours in all.
const SCHEDULE: [TimeDelta; 7] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
];
/// A receiver may ask for more time than the schedule gives, up to this.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(12);
/// A pause is up to a tenth longer, so that what failed together does not come back together.
pub(crate) const SPREAD: i32 = 100;
/// An attempt that is under way belongs to one worker for so long: longer than it can last.
pub(crate) const LEASE: TimeDelta = TimeDelta::minutes(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = WebhookDeliveryStatus)]
pub(crate) enum DeliveryStatus {
    /// To be tried, at once or later.
    Pending,
    Delivered,
    /// Every attempt failed.
    Failed,
    /// Its endpoint was disabled before.
    Cancelled,
}

impl DeliveryStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What was tried, and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: DateTime<Utc>,
    pub(crate) duration: Duration,
    pub(crate) status_code: Option<u16>,
    /// Why it failed; none when it did not.
    pub(crate) error: Option<String>,
    pub(crate) answer: Option<String>,
    /// What the receiver asked for.
    pub(crate) retry_after: Option<TimeDelta>,
}

impl Attempt {
    pub(crate) fn succeeded(&self) -> bool {
        self.error.is_none()
    }

    pub(crate) fn gone(&self) -> bool {
        self.status_code == Some(410)
    }

    #[cfg(test)]
    pub(crate) fn answered(status_code: u16) -> Self {
        Self {
            at: DateTime::UNIX_EPOCH,
            duration: Duration::from_millis(5),
            status_code: Some(status_code),
            error: (!(200..300).contains(&status_code)).then(|| format!("answered {status_code}")),
            answer: None,
            retry_after: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) endpoint_id: Uuid,
    pub(crate) message_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) status: DeliveryStatus,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// All that were made.
    pub(crate) attempts: i32,
    /// Since it was sent or resent.
    pub(crate) failures: i32,
    pub(crate) next_attempt_at: Option<DateTime<Utc>>,
    pub(crate) lease: Option<Uuid>,
}

impl Delivery {
    /// A test, under way already.
    pub(crate) fn test(endpoint_id: Uuid, message_id: Uuid, lease: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            id: common_utils::ids::new_id(),
            endpoint_id,
            message_id,
            event_type: TEST_TYPE.to_owned(),
            status: DeliveryStatus::Pending,
            created_at: now,
            ended_at: None,
            attempts: 0,
            failures: 0,
            next_attempt_at: Some(now + LEASE),
            lease: Some(lease),
        }
    }

    pub(crate) fn is_test(&self) -> bool {
        self.event_type == TEST_TYPE
    }

    /// Counts an attempt that was made under `lease`. Who has lost the lease meanwhile may tell of a success, which is one
    /// whoever had it, but decides nothing else. `spread` is from 0 to [`SPREAD`].
    pub(crate) fn tried(&mut self, attempt: &Attempt, lease: Uuid, now: DateTime<Utc>, spread: i32) {
        self.attempts = self.attempts.saturating_add(1);
        if attempt.succeeded() {
            if self.status != DeliveryStatus::Delivered {
                self.end(DeliveryStatus::Delivered, now);
            }
            return;
        }
        if self.lease != Some(lease) || self.status != DeliveryStatus::Pending {
            return;
        }
        self.lease = None;
        self.failures = self.failures.saturating_add(1);
        match self.pause(attempt, spread) {
            Some(pause) => self.next_attempt_at = Some(now + pause),
            None => self.end(DeliveryStatus::Failed, now),
        }
    }

    /// None when it was the last attempt. A test is tried once: somebody looks at it and tries again.
    fn pause(&self, attempt: &Attempt, spread: i32) -> Option<TimeDelta> {
        if self.is_test() || attempt.gone() {
            return None;
        }
        let place = usize::try_from(self.failures).ok()?.checked_sub(1)?;
        let pause = *SCHEDULE.get(place)?;
        let pause = pause + pause * spread / 1000;
        let asked = attempt.retry_after.unwrap_or_default().min(LONGEST_ASKED);
        Some(pause.max(asked))
    }

    fn end(&mut self, status: DeliveryStatus, now: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(now);
        self.next_attempt_at = None;
        self.lease = None;
    }

    /// Orders it anew, with the whole schedule before it. What is pending is on its way already.
    pub(crate) fn resend(&mut self, now: DateTime<Utc>) -> Change {
        let executed = self.status != DeliveryStatus::Pending;
        if executed {
            self.status = DeliveryStatus::Pending;
            self.ended_at = None;
            self.failures = 0;
            self.next_attempt_at = Some(now);
        }
        Change::when(executed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASED: Uuid = Uuid::from_u128(7);

    fn delivery(event_type: &str) -> Delivery {
        let (endpoint, message) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let test = Delivery::test(endpoint, message, LEASED, DateTime::UNIX_EPOCH);
        Delivery { event_type: event_type.to_owned(), ..test }
    }

    /// The pauses until it failed.
    fn pauses(delivery: &mut Delivery, attempt: &Attempt, spread: i32) -> Vec<i64> {
        let mut found = Vec::new();
        let mut now = DateTime::UNIX_EPOCH;
        while delivery.status == DeliveryStatus::Pending {
            delivery.lease = Some(LEASED);
            delivery.tried(attempt, LEASED, now, spread);
            let Some(next) = delivery.next_attempt_at else { break };
            found.push((next - now).num_seconds());
            now = next;
        }
        found
    }

    #[test]
    fn it_is_tried_for_more_than_a_day_and_then_has_failed() {
        let mut plain = delivery("wallet.created");
        let found = pauses(&mut plain, &Attempt::answered(500), 0);
        assert_eq!(found, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
        assert_eq!((plain.status, plain.attempts, plain.lease), (DeliveryStatus::Failed, 8, None));
        let spread = pauses(&mut delivery("wallet.created"), &Attempt::answered(500), SPREAD);
        assert_eq!(spread, [5, 330, 1_980, 7_920, 19_800, 39_600, 39_600]);
    }

    #[test]
    fn who_asks_for_more_time_gets_it_up_to_a_bound() {
        let asking =
            |seconds| Attempt { retry_after: Some(TimeDelta::seconds(seconds)), ..Attempt::answered(429) };
        let first = |seconds| pauses(&mut delivery("wallet.created"), &asking(seconds), 0)[0];
        assert_eq!([first(1), first(60), first(1_000_000)], [5, 60, 43_200]);
        assert_eq!(pauses(&mut delivery("wallet.created"), &asking(60), 0)[1], 300, "and never less");
    }

    #[test]
    fn a_test_and_one_who_is_gone_are_tried_once() {
        let mut test = delivery(TEST_TYPE);
        assert!(pauses(&mut test, &Attempt::answered(500), 0).is_empty());
        assert_eq!(test.status, DeliveryStatus::Failed);
        let mut gone = delivery("wallet.created");
        assert!(pauses(&mut gone, &Attempt::answered(410), 0).is_empty());
        assert_eq!(gone.status, DeliveryStatus::Failed);
    }

    #[test]
    fn who_has_lost_the_lease_tells_of_a_success_alone() {
        let now = DateTime::UNIX_EPOCH;
        let mut one = delivery("wallet.created");
        one.tried(&Attempt::answered(500), Uuid::from_u128(8), now, 0);
        assert_eq!((one.status, one.failures, one.attempts), (DeliveryStatus::Pending, 0, 1));
        assert_eq!(one.lease, Some(LEASED));
        one.tried(&Attempt::answered(200), Uuid::from_u128(8), now, 0);
        assert_eq!((one.status, one.ended_at), (DeliveryStatus::Delivered, Some(now)));
        one.tried(&Attempt::answered(500), LEASED, now, 0);
        assert_eq!((one.status, one.attempts), (DeliveryStatus::Delivered, 3));
    }

    #[test]
    fn resending_starts_the_schedule_anew() {
        let mut one = delivery("wallet.created");
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(one.resend(now), Change::AlreadyApplied);
        pauses(&mut one, &Attempt::answered(500), 0);
        assert_eq!(one.resend(now), Change::Executed);
        assert_eq!(
            (one.status, one.next_attempt_at, one.ended_at),
            (DeliveryStatus::Pending, Some(now), None)
        );
        assert_eq!(pauses(&mut one, &Attempt::answered(500), 0).len(), 7);
        assert_eq!(one.attempts, 16);
    }
}
