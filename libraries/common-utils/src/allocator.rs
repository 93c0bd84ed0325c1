//! The allocator of every binary.
//!
//! The C library's has one lock for each arena, and as many arenas as make a service grow with every burst, or few that
//! threads wait for. This one has neither.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
