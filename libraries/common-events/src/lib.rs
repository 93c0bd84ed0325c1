//! common-events
