//! The two customers of the demonstration. Their e-mail addresses, numbers and BVNs are new each time, so that it can
//! be played again on the same data.

use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) password: String,
    pub(super) bvn: String,
    pub(super) token: String,
    pub(super) user_id: String,
    pub(super) wallet_id: String,
    pub(super) account_number: String,
}

impl Person {
    pub(super) fn new(name: &'static str) -> Self {
        let digits = |range: std::ops::Range<u64>| rand::random_range(range).to_string();
        let tag = digits(100_000_000..1_000_000_000);
        Self {
            name,
            email: format!("{}.{tag}@example.com", name.to_lowercase()),
            // 0803 is a Nigerian mobile prefix.
            phone: format!("+234803{}", digits(1_000_000..10_000_000)),
            password: format!("a long way to {tag} places"),
            // The twin answers with a match unless the last digit is 6 to 9.
            bvn: format!("22{}{}", digits(10_000_000..100_000_000), digits(0..6)),
            token: String::new(),
            user_id: String::new(),
            wallet_id: String::new(),
            account_number: String::new(),
        }
    }

    pub(super) fn registration(&self) -> Value {
        json!({
            "email": self.email, "phoneNumber": self.phone, "password": self.password,
            "firstName": self.name, "lastName": "Example",
        })
    }
}
