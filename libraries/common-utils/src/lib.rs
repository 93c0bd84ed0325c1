//! common-utils
