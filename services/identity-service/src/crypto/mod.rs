//! Personal data at rest, and what only its holder can present.

pub(crate) mod pii;
pub(crate) mod token;
