//! The public contract of the whole platform: the OpenAPI documents of the four services in one.

use common_utils::http::docs;

/// The document as text, as it is committed in `gateway/openapi.json`.
pub fn text() -> anyhow::Result<String> {
    let services = vec![
        identity_service::openapi(),
        wallet_service::openapi(),
        transaction_service::openapi(),
        admin_service::openapi(),
    ];
    let merged = docs::merge(
        "Wallet platform",
        "People, wallets, transfers, and the staff who help: everything behind the gateway.",
        services,
    )?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&merged)?))
}

/// Prints the document.
#[expect(clippy::print_stdout, reason = "a command for people")]
pub fn print() -> anyhow::Result<()> {
    print!("{}", text()?);
    Ok(())
}
