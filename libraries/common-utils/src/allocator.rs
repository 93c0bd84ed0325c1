//! The allocator of every binary.
//!
//! The C library's has one lock for each arena, and as many arenas as make a service grow with every burst, or few that
//! threads wait for. This one has neither. It takes no huge pages (`no_thp`): with them a service held a third more, and was
//! slower where a thousand clients called.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
