//! The routes of a service: each with its contract and with who may call it. A service serves nothing else
//! (`server::service_router` takes no other router), and [`routes!`](crate::routes) is the only way to make one.
//!
//! The list of them ([`Routes::table`]) is what the permission matrix of the platform is checked against.

use axum::{Router, extract::DefaultBodyLimit, handler::Handler, http::Method};
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::access::{Access, Arguments, Caller};

/// Handlers as routes, each of which has a `#[utoipa::path]` and says in its arguments who may call it.
///
/// Without a caller it does not compile:
///
/// ```compile_fail
/// # use common_utils::http::{Routes, routes};
/// #[utoipa::path(get, path = "/balance")]
/// async fn balance() {}
/// let routes = Routes::<()>::new().routes(routes!(balance));
/// ```
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {
        [$($crate::http::Endpoint::new($crate::http::utoipa_axum::routes!($handler), $handler)),+]
    };
}

/// A handler, its contract, and who may call it.
pub struct Endpoint<S> {
    described: UtoipaMethodRouter<S>,
    access: Access,
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    /// Called by `routes!`, which names the handler once for both.
    #[doc(hidden)]
    pub fn new<H, T>(described: UtoipaMethodRouter<S>, _handler: H) -> Self
    where
        H: Handler<T, S>,
        T: Arguments,
    {
        Self { described, access: T::Caller::ACCESS }
    }
}

/// A line of the table of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    pub method: Method,
    /// With its parameters in braces.
    pub path: String,
    pub access: Access,
}

pub struct Routes<S = ()> {
    router: OpenApiRouter<S>,
    table: Vec<RouteInfo>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    #[expect(clippy::new_without_default, reason = "an empty one is a beginning and not a default")]
    pub fn new() -> Self {
        Self { router: OpenApiRouter::new(), table: Vec::new() }
    }

    /// With what `routes!` made.
    #[must_use]
    pub fn routes(mut self, endpoints: impl IntoIterator<Item = Endpoint<S>>) -> Self {
        for Endpoint { described, access } in endpoints {
            for (path, item) in &described.1.paths {
                let route = |method| RouteInfo { method, path: path.clone(), access };
                self.table.extend(methods(item).map(route));
            }
            self.router = self.router.routes(described);
        }
        self
    }

    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        Self { router: self.router.merge(other.router), table: self.table }
    }

    /// Bodies of these calls may have so many bytes.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        Self { router: self.router.layer(DefaultBodyLimit::max(bytes)), table: self.table }
    }

    pub fn with_state(self, state: S) -> Routes {
        Routes { router: self.router.with_state(state), table: self.table }
    }

    /// Every route, in the order in which they were added.
    pub fn table(&self) -> &[RouteInfo] {
        &self.table
    }

    pub fn into_openapi(self) -> OpenApi {
        self.router.into_openapi()
    }
}

impl Routes {
    pub(super) fn into_router(self) -> Router {
        self.router.into()
    }
}

impl<S> std::fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("table", &self.table).finish_non_exhaustive()
    }
}

impl<S> std::fmt::Debug for Endpoint<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("access", &self.access).finish_non_exhaustive()
    }
}

fn methods(item: &PathItem) -> impl Iterator<Item = Method> + use<> {
    let described = [
        (Method::GET, item.get.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::PATCH, item.patch.is_some()),
        (Method::DELETE, item.delete.is_some()),
        (Method::HEAD, item.head.is_some()),
        (Method::OPTIONS, item.options.is_some()),
        (Method::TRACE, item.trace.is_some()),
    ];
    described.into_iter().filter_map(|(method, there)| there.then_some(method))
}
