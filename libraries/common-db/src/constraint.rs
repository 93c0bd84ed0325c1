//! Errors of Postgres by what they mean. Invariants live in the schema under a name, and the name tells which one
//! was broken; no message text is ever looked at.

use std::borrow::Borrow;

use common_utils::http::Problem;

/// The named constraint that refused the statement.
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// The statement may succeed when it is tried again: the connection was lost, the server is starting, stopping or
/// short of something, two transactions were in each other's way.
pub fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Classes: 08 connection, 40 rollback, 53 resources, 57 operator; 55P03 is the lock time-out,
            // 58 a broken disk, 25006 a server that became a replica.
            ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || code == "55P03"
                || code == "25006"
        }),
        _ => false,
    }
}

/// The value itself is one that Postgres cannot keep: a text with U+0000, a time or a number outside its range. The edge
/// refuses what it knows of; this is for what gets past it.
pub fn is_unfit_value(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // Character not in repertoire, untranslatable character, datetime overflow, numeric value out of range.
    code.is_some_and(|code| matches!(&*code, "22021" | "22P05" | "22008" | "22003"))
}

/// What a client is told when the database failed: a transient failure may be tried again, a value that cannot be kept
/// is the client's.
pub fn problem(error: impl Borrow<sqlx::Error> + Into<anyhow::Error>) -> Problem {
    if is_transient(error.borrow()) {
        Problem::unavailable(error)
    } else if is_unfit_value(error.borrow()) {
        Problem::invalid_field("request", "out_of_range", "holds a value that cannot be kept")
            .caused_by(error)
    } else {
        Problem::internal(error)
    }
}
