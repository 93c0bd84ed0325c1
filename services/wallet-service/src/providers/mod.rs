//! Providers: what we ask of a bank, and the banks that answer.
