//! The correlation id: one word that ties a client's call to every log line, event and problem that came of it.
//! It travels with the task, so nobody has to hand it on.

use std::future::Future;

use crate::ids;

pub const HEADER: &str = "x-correlation-id";

tokio::task_local! {
    static CURRENT: String;
}

/// Runs `work` under this correlation id.
pub async fn scope<F: Future>(id: String, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// The id of the running task; a fresh one where none was set.
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| fresh())
}

/// The client's own id if it is 1–64 of `[A-Za-z0-9._-]`, else a fresh one.
pub fn accept(offered: Option<&str>) -> String {
    let fits = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    offered.filter(fits).map_or_else(fresh, str::to_owned)
}

fn fresh() -> String {
    ids::new_id().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_only_what_is_safe_to_log() {
        assert_eq!(accept(Some("order-17.a_B")), "order-17.a_B");
        let long = "x".repeat(65);
        for wrong in ["", "a b", "a\n", "ü", &long] {
            assert_ne!(accept(Some(wrong)), wrong);
        }
    }
}
