//! What support may know of a customer, and which of two things told is the later one.

use chrono::{DateTime, SubsecRound, Utc};
use common_events::Event;
use uuid::Uuid;

/// `ada@example.com` as `a***@example.com`: enough to recognise an address, and not to write to it.
pub(super) fn masked_email(email: &str) -> String {
    match email.rsplit_once('@') {
        Some((name, domain)) => {
            let first: String = name.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

/// `+2348030000001` as `+234******0001`. A number too short to hide anything in shows nothing.
pub(super) fn masked_phone(phone: &str) -> String {
    masked(phone, 4, 4)
}

/// `9977581234` as `******1234`.
pub(super) fn masked_account(number: &str) -> String {
    masked(number, 0, 4)
}

/// Hides at least as many as it shows at the end.
fn masked(text: &str, first: usize, last: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    let shown = |place: usize| place < first || place >= letters.len() - last;
    let hides_enough = letters.len() >= first + last + last;
    let mask = |(place, letter): (usize, &char)| if hides_enough && shown(place) { *letter } else { '*' };
    letters.iter().enumerate().map(mask).collect()
}

/// Which of two events about the same thing is the later one, whichever comes first. Ids grow with time and decide where the
/// clock does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) as_of: DateTime<Utc>,
    pub(super) event: Uuid,
}

impl Version {
    pub(super) fn of(event: &Event) -> Self {
        // Postgres keeps microseconds, and compares with what is kept.
        Self { as_of: event.time.trunc_subsecs(6), event: event.id }
    }
}

/// How far a transaction is. One that has ended does not begin again, whatever the clocks of two services say.
pub(super) fn progress(status: &str) -> i16 {
    match status {
        "initiated" => 0,
        "completed" | "failed" => 2,
        "reversed" => 3,
        // `pending`, `outcome_unknown`, and what is newer than this service.
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_recognised_and_not_read() {
        for (email, masked) in [
            ("ada@example.com", "a***@example.com"),
            ("a@example.com", "a***@example.com"),
            ("ọlá@example.com", "ọ***@example.com"),
            ("\"a@b\"@example.com", "\"***@example.com"),
            ("@example.com", "***@example.com"),
            ("ada", "***"),
            ("", "***"),
        ] {
            assert_eq!(masked_email(email), masked);
        }
        for (phone, masked) in [
            ("+2348030000001", "+234******0001"),
            ("+15550001111", "+155****1111"),
            ("+1555000111", "***********"),
            ("", ""),
        ] {
            assert_eq!(masked_phone(phone), masked);
        }
        assert_eq!(masked_account("9977581234"), "******1234");
        assert_eq!(masked_account("1234567"), "*******");
    }

    #[test]
    fn a_transaction_that_has_ended_is_further_than_one_on_its_way() {
        let way = ["initiated", "outcome_unknown", "completed", "reversed"].map(progress);
        assert!(way.is_sorted());
        assert_eq!(progress("completed"), progress("failed"));
    }
}
