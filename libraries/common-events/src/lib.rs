//! Events between services: written to the outbox in the business transaction, published by the relay, taken in
//! once by consumers, set aside in `dlq.<topic>` when they cannot be handled. Read models are made anew from the topics.

pub mod broadcast;
pub mod config;
pub mod consumer;
pub mod contracts;
pub mod dedup;
pub mod dlq;
pub mod embedded_broker;
pub mod envelope;
pub mod health;
pub mod inbox;
pub mod lock;
pub mod outbox;
pub mod projection;
pub mod rebuild;
pub mod registry;
pub mod relay;
pub mod security;
pub mod tail;
pub mod testing;
pub mod topics;
mod wake;
pub mod workers;

pub use config::KafkaConfig;
pub use consumer::{Consumer, EventHandler, HandlerError};
pub use envelope::{Actor, Event, EventContext};
pub use outbox::NewEvent;
pub use projection::Projection;
pub use topics::Topic;
