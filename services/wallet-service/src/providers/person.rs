//! A person as a provider must know them. Held for the length of one call, kept nowhere, and it does not print.

use std::fmt;

use chrono::NaiveDate;
use common_utils::ids::UserId;
use secrecy::SecretString;

#[derive(Clone)]
pub struct Person {
    pub user_id: UserId,
    pub bvn: SecretString,
    pub first_name: String,
    pub last_name: String,
    pub date_of_birth: NaiveDate,
    /// E.164.
    pub phone_number: String,
    pub email: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}
