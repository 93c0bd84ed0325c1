//! One line of the file.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use common_auth::password;
use serde::Deserialize;

use crate::users::entity::{NewUser, User};

/// At a higher cost one login would take a second of a core, and so would each refused one meanwhile.
const HIGHEST_BCRYPT_COST: u32 = 12;
const HIGHEST_ARGON2_MEMORY_KIB: u32 = 65_536;
const HIGHEST_ARGON2_PASSES: u32 = 4;

#[derive(Debug)]
pub(super) struct Imported {
    pub(super) user: User,
    pub(super) password_hash: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    email: String,
    phone_number: String,
    first_name: String,
    last_name: String,
    password_hash: String,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    phone_verified: bool,
    created_at: Option<DateTime<Utc>>,
}

impl Imported {
    /// The error says what is wrong and repeats nothing of the line.
    pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => "a field is missing, unknown or of a wrong type".to_owned(),
            _ => "it is no JSON object".to_owned(),
        })?;
        let new = NewUser {
            email: read("email", &line.email)?,
            phone_number: read("phoneNumber", &line.phone_number)?,
            first_name: read("firstName", &line.first_name)?,
            last_name: read("lastName", &line.last_name)?,
        };
        let bcrypt = password::is_bcrypt_within(&line.password_hash, HIGHEST_BCRYPT_COST);
        let argon2 = password::is_argon2id_within(
            &line.password_hash,
            HIGHEST_ARGON2_MEMORY_KIB,
            HIGHEST_ARGON2_PASSES,
        );
        if !bcrypt && !argon2 {
            return Err(
                "passwordHash must be of bcrypt ($2a$, $2b$, $2y$; cost up to 12) or argon2id (64 MiB, 4 passes at most)".to_owned()
            );
        }
        let created_at = line.created_at.unwrap_or(now);
        if created_at > now {
            return Err("createdAt is in the future".to_owned());
        }
        let mut user = User::register(new, None, created_at);
        (user.email_verified, user.phone_verified) = (line.email_verified, line.phone_verified);
        Ok(Self { user, password_hash: line.password_hash })
    }
}

fn read<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| format!("{name} {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    fn line(change: impl FnOnce(&mut Value)) -> Result<Imported, String> {
        let mut line = json!({
            "email": "Ada@example.com", "phoneNumber": "08031234567", "firstName": "Ada", "lastName": "Obi",
            "passwordHash": HASH, "emailVerified": true, "createdAt": "2020-01-01T00:00:00Z",
        });
        change(&mut line);
        Imported::parse(&line.to_string(), "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_line_is_a_person() {
        let imported = line(|_| {}).unwrap();
        let user = imported.user;
        assert_eq!((user.email.as_str(), user.phone_number.as_str()), ("ada@example.com", "+2348031234567"));
        assert_eq!((user.email_verified, user.phone_verified, user.kyc_tier), (true, false, 0));
        assert_eq!((imported.password_hash.as_str(), user.created_at.timestamp()), (HASH, 1_577_836_800));
    }

    #[test]
    fn a_mistake_is_told_without_what_the_line_says() {
        for (field, value, told) in [
            ("email", json!("nobody"), "email must be"),
            ("phoneNumber", json!("12"), "phoneNumber must be"),
            ("firstName", json!(""), "firstName must have"),
            ("passwordHash", json!("5f4dcc3b5aa765d61d8327deb882cf99"), "passwordHash must be"),
            ("passwordHash", json!(HASH.replace("$05$", "$20$")), "passwordHash must be"),
            (
                "passwordHash",
                json!("$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"),
                "passwordHash must",
            ),
            ("createdAt", json!("2027-01-01T00:00:00Z"), "in the future"),
            ("role", json!("admin"), "unknown"),
            ("lastName", json!(1), "wrong type"),
        ] {
            let error = line(|line| line[field] = value.clone()).unwrap_err();
            assert!(error.contains(told), "{field}: {error}");
            assert!(!error.contains("Ada") && !error.contains("08031234567 "), "{error}");
        }
        assert_eq!(Imported::parse("{", DateTime::UNIX_EPOCH).unwrap_err(), "it is no JSON object");
    }
}
