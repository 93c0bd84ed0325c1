//! `docs/permissions.md` is that of the table: `UPDATE_DOCS=1 cargo test -p common-auth --test permissions` writes it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::{fs, path::Path};

use common_auth::permissions;

#[test]
fn the_page_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/permissions.md");
    let page = permissions::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    assert!(fs::read_to_string(file).unwrap() == page, "docs/permissions.md is old: UPDATE_DOCS=1 writes it");
}
