//! `docs/permissions.md`, written from the table.

use super::{Line, REASONS, SERVICES, STAFF, Service};
use crate::Role;

const HEAD: &str = "# Permissions

Who may call what. This page is written by the code: change the table in `libraries/common-auth/src/permissions.rs` and run
`UPDATE_DOCS=1 cargo test -p common-auth --test permissions`.

A handler names who may call it in its arguments, and does not compile without: `CurrentUser` (who is signed in, about what is their own),
`PersonOrMachine<Scope>` (the same, or a machine of theirs with this scope of its [API key](api-keys.md)), `StepUp<Requirement>` (who has proved a moment ago who they are),
`LeavingUser` (who is signed in, or was until a moment ago: to sign out twice is no mistake), `Staff<Permission>`, `ServiceCaller<Permission>` or `Anybody<Reason>`. Which route asks for which permission, and what each role is
answered there, is in [permissions.matrix](../services/standalone/tests/permissions/permissions.matrix).
";

const STAFF_HEAD: &str = "
## Staff

By the roles in the access token. A role that is taken away ends with the tokens that carry it; `user`, which everybody has, holds none of these.
";

const SERVICES_HEAD: &str = "
## Services

On `/internal/v1`, by the name in the service token. The gateway routes none of it.
";

const REASONS_HEAD: &str = "
## Open to everybody

| reason | why |
| --- | --- |
";

/// The whole page.
pub fn page() -> String {
    let staff = table(STAFF, &Role::ALL[1..], Role::name);
    let services = table(SERVICES, &Service::ALL, Service::name);
    let reasons = REASONS.iter().map(|reason| row(&[&code(reason.name), reason.about.trim()]));
    let reasons: String = reasons.collect();
    [HEAD, STAFF_HEAD, &staff, SERVICES_HEAD, &services, REASONS_HEAD, &reasons].concat()
}

fn table<H: Copy + PartialEq>(lines: &[Line<H>], holders: &[H], name: fn(H) -> &'static str) -> String {
    let mut head = vec!["permission", "what it allows"];
    head.extend(holders.iter().map(|holder| name(*holder)));
    let mut text = format!("\n{}{}", row(&head), row(&vec!["---"; head.len()]));
    for line in lines {
        let permission = code(line.name);
        let mut cells = vec![permission.as_str(), line.about.trim()];
        cells.extend(holders.iter().map(|holder| if line.holders.contains(holder) { "yes" } else { "" }));
        text.push_str(&row(&cells));
    }
    text
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn code(name: &str) -> String {
    format!("`{name}`")
}
