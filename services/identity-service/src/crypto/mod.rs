//! Personal data at rest, and what only its holder can present (`token`). Each person has a key of their own (`data_key`), with which their values are encrypted, each bound to
//! its place; it is stored wrapped under a master key (`key_provider`: files in `KEYS_DIR`, or a key management service) and
//! opened by the `vault`. What is without its key can be read by nobody: deleting the key erases. Values are found by a keyed hash
//! (`lookup`), whose key is one for the deployment and stays.
//!
//! A table of encrypted values has the trigger `require_person_key()`, so that nothing is written under a key that is being erased.

mod cache;
pub(crate) mod command;
pub(crate) mod data_key;
pub(crate) mod error;
mod file_keys;
pub(crate) mod key_provider;
mod kms;
mod lookup;
mod master_keys;
mod repo;
mod rotation;
pub(crate) mod token;
mod unmoved;
pub(crate) mod vault;

pub use kms::KmsConfig;
