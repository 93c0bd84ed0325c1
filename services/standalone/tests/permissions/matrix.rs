//! The routes of all services, and the file that holds what everybody is answered.

use common_utils::http::{Access, RouteInfo};

use crate::callers::Caller;

const HEAD: &str = "# Every route, who may call it, and the status that each caller is answered. Written by the code:
# UPDATE_DOCS=1 cargo test -p standalone --test permissions
#
# The owner is a customer whose wallet, ticket, transaction or session the path names; everybody else is a stranger to it. In the column
# owner-stale the same person has a second factor, and gave it an hour ago: 403 is then step_up_required. Staff have the role of their
# column, and are strangers, too; in the columns owner-support to owner-admin they ask for what is their own: 403 is then that nobody
# decides about themselves. Callers who may call get the answer of the business: 404 where there is no such thing, 409 and 422 where it
# does not go so.
";

#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) service: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) access: Access,
}

impl Route {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn of(service: &'static str, info: RouteInfo) -> Self {
        Self { service, method: info.method.to_string(), path: info.path, access: info.access }
    }
}

/// A route, and what the callers were answered, in their order.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) route: Route,
    pub(crate) answers: Vec<u16>,
    /// Who was told that what they sent does not fit.
    pub(crate) unfit: Vec<Caller>,
}

impl Line {
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Caller, u16)> {
        Caller::ALL.into_iter().zip(self.answers.iter().copied())
    }
}

pub(crate) fn routes() -> Vec<Route> {
    let services = [
        (identity_service::SERVICE_NAME, identity_service::routes()),
        (wallet_service::SERVICE_NAME, wallet_service::routes()),
        (transaction_service::SERVICE_NAME, transaction_service::routes()),
        (admin_service::SERVICE_NAME, admin_service::routes()),
    ];
    let mut all = Vec::new();
    for (service, routes) in services {
        let mut routes: Vec<Route> = routes.into_iter().map(|info| Route::of(service, info)).collect();
        routes.sort_by(|left, right| (&left.path, &left.method).cmp(&(&right.path, &right.method)));
        all.extend(routes);
    }
    all
}

/// The file: columns of fixed width, so that a new route changes no other line.
pub(crate) fn text(lines: &[Line]) -> String {
    let mut parts = vec![HEAD.to_owned()];
    let mut service = "";
    for line in lines {
        if line.route.service != service {
            service = line.route.service;
            let (title, names) = (format!("# {service}"), Caller::ALL.map(Caller::name).join(" "));
            parts.push(format!("\n{title:<107} {names}\n"));
        }
        let Route { method, path, access, .. } = &line.route;
        let who = access.to_string();
        let cell = |(caller, status): (Caller, u16)| format!("{status:<width$}", width = caller.name().len());
        let answers: Vec<String> = line.answers().map(cell).collect();
        let text = format!("{method:<6} {path:<72} {who:<27} {}", answers.join(" "));
        parts.push(format!("{}\n", text.trim_end()));
    }
    parts.concat()
}
