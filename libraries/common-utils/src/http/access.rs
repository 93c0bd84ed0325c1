//! Who may call a route, as the arguments of its handler say it.
//!
//! The first argument, or the one after `State`, is a [`Caller`]: an extractor that refuses everybody else. All that follow
//! are [`Input`]s, which no caller is. `Routes` takes only handlers with such [`Arguments`], so a route that does not say who
//! may call it, or says it twice, does not compile. The callers of the platform are in `common-auth`.

use std::fmt;

use axum::{body::Bytes, extract::State, http::HeaderMap};

use super::{ApiBytes, ApiJson, ApiPath, ApiQuery};

/// Whom an extractor lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Whoever calls, and why that is right.
    Anybody(&'static str),
    /// Who is signed in.
    SignedIn,
    /// Who is signed in and has proved a moment ago who they are, as this requirement says.
    SteppedUp(&'static str),
    /// Who is signed in, or a machine of theirs with this scope.
    SignedInOrMachine(&'static str),
    /// Who is signed in, or was until a moment ago.
    Leaving,
    /// Staff with this permission.
    Staff(&'static str),
    /// Services with this permission.
    Service(&'static str),
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody(reason) => write!(f, "anybody:{reason}"),
            Self::SignedIn => f.write_str("signed-in"),
            Self::SteppedUp(requirement) => write!(f, "stepped-up:{requirement}"),
            Self::SignedInOrMachine(scope) => write!(f, "signed-in,machine:{scope}"),
            Self::Leaving => f.write_str("leaving"),
            Self::Staff(permission) => write!(f, "staff:{permission}"),
            Self::Service(permission) => write!(f, "service:{permission}"),
        }
    }
}

/// An extractor that knows who calls, and refuses who may not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who may call",
    note = "a handler's first argument, or the one after `State`, is its caller: see `common_auth::extract`"
)]
pub trait Caller {
    const ACCESS: Access;
}

/// What a handler reads of a call beside who makes it. An extractor of a service's own is declared one, unless it is a `Caller`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as input of a handler",
    note = "one argument says who may call; an extractor that does not decide that gets an `impl Input`"
)]
pub trait Input {}

impl Input for Bytes {}
impl Input for HeaderMap {}
impl Input for ApiBytes {}
impl<T> Input for ApiJson<T> {}
impl<T> Input for ApiPath<T> {}
impl<T> Input for ApiQuery<T> {}

/// The arguments of a handler, as axum tells of them: how the last is read, then their types.
#[diagnostic::on_unimplemented(
    message = "this handler does not say who may call it",
    note = "its first argument, or the one after `State`, has to be a `Caller`, and all that follow `Input`s"
)]
pub trait Arguments {
    type Caller: Caller;
}

macro_rules! arguments {
    ($($input:ident)*) => {
        impl<M, C: Caller, $($input: Input),*> Arguments for (M, C, $($input,)*) {
            type Caller = C;
        }

        impl<M, S, C: Caller, $($input: Input),*> Arguments for (M, State<S>, C, $($input,)*) {
            type Caller = C;
        }
    };
}

arguments!();
arguments!(A1);
arguments!(A1 A2);
arguments!(A1 A2 A3);
arguments!(A1 A2 A3 A4);
arguments!(A1 A2 A3 A4 A5);
