//! How a person is reached: an email address and a phone number, each in the one spelling in which it is kept and
//! compared, by the service that registers people and by the one that finds a recipient. They are personal data, so
//! `Debug` does not show them.

mod email;
mod phone;

pub use email::{Email, InvalidEmail};
pub use phone::{InvalidPhoneNumber, PhoneNumber};
