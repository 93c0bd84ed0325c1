//! The public contract of the whole platform: the OpenAPI documents of the four services in one.

use common_utils::http::docs;
use utoipa::openapi::OpenApi;

/// The merged document.
pub fn merged() -> OpenApi {
    docs::merge(vec![
        identity_service::openapi(),
        wallet_service::openapi(),
        transaction_service::openapi(),
        admin_service::openapi(),
    ])
}

/// The document as text, as it is committed in `gateway/openapi.json`.
pub fn text() -> anyhow::Result<String> {
    Ok(format!("{}\n", merged().to_pretty_json()?))
}

/// Prints the document.
#[expect(clippy::print_stdout, reason = "a command for people")]
pub fn print() -> anyhow::Result<()> {
    print!("{}", text()?);
    Ok(())
}
