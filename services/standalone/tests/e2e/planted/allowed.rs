//! Where something personal may be in clear, and why. Everything else that is found is a leak: nothing secret is allowed anywhere, nor
//! is anything in a log.

use std::collections::BTreeSet;

use super::{search::Search, secrets::What};

/// What, where, and why it may be there. `docs/personal-data.md` says to operators what erases it.
const ALLOWED: &[(What, &[&str], &str)] = &[
    (What::Email, &["identity.users.email"], "people sign in with it, and are written to"),
    (What::Phone, &["identity.users.phone_number"], "people sign in with it, and are sent codes"),
    (What::LastName, &["identity.users.last_name"], "it is shown to its owner, and held against registers"),
    (
        What::Email,
        &["message in user-events", "identity.outbox_batches.payloads"],
        "a public event is a whole snapshot: support's view and the directory of recipients are made of it",
    ),
    (What::Phone, &["message in user-events", "identity.outbox_batches.payloads"], "the same"),
    (What::LastName, &["message in user-events", "identity.outbox_batches.payloads"], "the same"),
    (
        What::LastName,
        &["admin.support_users.last_name"],
        "support sees whom it talks to; contacts are masked",
    ),
    (
        What::LastName,
        &[
            "wallet.virtual_accounts.account_name",
            "wallet.outbox_batches.payloads",
            "message in wallet-events",
            "admin.support_accounts.account_name",
        ],
        "the bank's name of an account, which whoever pays to it has to see",
    ),
];

/// What was found and may not be there, and what may be there and was not found: a line that nobody needs allows too much.
pub(crate) fn broken_by(search: &Search) -> Vec<String> {
    let allowed: BTreeSet<(String, What)> = ALLOWED
        .iter()
        .flat_map(|(what, places, _)| places.iter().map(|place| ((*place).to_owned(), *what)))
        .collect();
    let leaks = search.found.iter().filter(|(found, _)| !allowed.contains(*found));
    let leaks = leaks.map(|((place, what), example)| format!("{what:?} in {place}, {example}"));
    let unused = allowed.iter().filter(|line| !search.found.contains_key(*line));
    let unused = unused.map(|(place, what)| format!("{what:?} is not in {place}, where it may be"));
    leaks.chain(unused).collect()
}
