//! Personal data at rest.

pub(crate) mod pii;
