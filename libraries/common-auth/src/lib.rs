//! Who is calling: access tokens of people (EdDSA, signed by identity-service alone), what is taken back of them before they
//! expire, short-lived tokens of services for `/internal/v1`, signed by each of them, passwords, how people proved who they are, the
//! callers by which a handler states who may call it, and the one table of what they may do.

pub mod claims;
pub mod extract;
pub mod jwks;
pub mod key_ring;
mod keys;
pub mod password;
pub mod permissions;
pub mod proof;
pub mod revocation;
pub mod roles;
pub mod scopes;
pub mod secret;
pub mod service_token;
pub mod signing;
pub mod step_up;
pub mod testing;
pub mod verify;

pub use claims::Claims;
pub use extract::{Anybody, Authenticator, CurrentUser, LeavingUser, PersonOrMachine, ServiceCaller, Staff};
pub use proof::{Assurance, Method};
pub use roles::Role;
pub use scopes::{Scope, Scopes};
pub use step_up::StepUp;
