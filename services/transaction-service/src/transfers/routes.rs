//! `POST /api/v1/transactions/transfers`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use common_auth::{PersonOrMachine, scopes::TransfersWrite};
use common_db::idempotency::{self, IdempotencyKey};
use common_utils::{
    config::OpenCurrencies,
    contact::{Email, PhoneNumber},
    http::{ApiJson, FieldErrors, Problem, ProblemBody, Routes, routes},
    ids::{UserId, WalletId},
    money::Money,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{Answer, Recipient, Sender, TransferRequest, entity::RefusalCode, outflow};
use crate::{
    app::AppState,
    transactions::{Status, Transaction, routes::TransactionBody},
};

const LONGEST_NARRATION: usize = 100;

pub(crate) fn public() -> Routes<AppState> {
    Routes::new().routes(routes!(send))
}

/// Who receives the money: exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TransferRecipient, min_properties = 1, max_properties = 1)]
struct RecipientBody {
    wallet_id: Option<Uuid>,
    /// The number of a wallet's account at a bank: ten digits.
    #[schema(example = "9900000001", pattern = "^[0-9]{10}$")]
    account_number: Option<String>,
    /// With its country code, or a Nigerian one.
    #[schema(example = "+2348031234567")]
    phone_number: Option<String>,
    #[schema(example = "ada@example.com")]
    email: Option<String>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TransferBody {
    /// A wallet of yours.
    from_wallet_id: Uuid,
    to: RecipientBody,
    /// Greater than zero, in the currency of both wallets.
    amount: Money,
    /// What both parties read with it.
    #[schema(max_length = 100)]
    narration: Option<String>,
}

impl TransferBody {
    fn parse(self, open: &OpenCurrencies) -> Result<TransferRequest, Problem> {
        let mut errors = FieldErrors::new();
        let to = self.to.parse(&mut errors);
        if self.amount.amount <= 0 {
            errors.push("amount.amount", "out_of_range", "must be greater than zero");
        }
        let narration = self.narration.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if narration.as_deref().is_some_and(unfit) {
            let message =
                format!("must have at most {LONGEST_NARRATION} characters, none a control character");
            errors.push("narration", "invalid", message);
        }
        let Some(to) = to else { return Err(errors.into_problem()) };
        errors.into_result()?;
        let currency = self.amount.currency;
        if !open.contains(currency) {
            let detail = format!("Money cannot be sent in {currency} here.");
            return Err(Problem::unprocessable("unsupported_currency", detail));
        }
        Ok(TransferRequest { from: WalletId::from(self.from_wallet_id), to, amount: self.amount, narration })
    }
}

fn unfit(narration: &str) -> bool {
    narration.chars().count() > LONGEST_NARRATION || narration.chars().any(char::is_control)
}

impl RecipientBody {
    /// None when something is wrong, which is then noted.
    fn parse(self, errors: &mut FieldErrors) -> Option<Recipient> {
        match (self.wallet_id, self.account_number, self.phone_number, self.email) {
            (Some(id), None, None, None) => Some(Recipient::Wallet(WalletId::from(id))),
            (None, Some(number), None, None) => {
                let fits = number.len() == 10 && number.bytes().all(|byte| byte.is_ascii_digit());
                let number = if fits { Ok(number) } else { Err("must be ten digits") };
                errors.take("to.accountNumber", number).map(Recipient::AccountNumber)
            }
            (None, None, Some(phone), None) => {
                errors.take("to.phoneNumber", phone.parse::<PhoneNumber>()).map(Recipient::Phone)
            }
            (None, None, None, Some(email)) => {
                errors.take("to.email", email.parse::<Email>()).map(Recipient::Email)
            }
            _ => {
                let message = "must have exactly one of walletId, accountNumber, phoneNumber and email";
                errors.push("to", "invalid", message);
                None
            }
        }
    }
}

/// Sends money to another wallet.
///
/// Answers when the money has moved. A transfer that the ledger refuses is 422, and stays in your list as `failed`.
/// Its key remembers that, as it remembers a success. So it is with `limit_exceeded`, when more would go to other people in a day
/// than your tier allows, or from a new device at first: `errors[0].code` is `daily_outflow` or `new_device`, and the words say
/// what is left. Without `errors` it is because of the recipient, who cannot hold that much; after a few of these in a day, what goes
/// to the same recipients is refused until midnight. What was refused before (a fresh approval that is missing, fields that do not
/// fit, `same_wallet`, `currency_mismatch`, `unsupported_currency`, `recipient_not_found`, a wallet that is not yours) leaves the key
/// unused.
/// After 503 the transfer may still happen: send it again with the same key to learn of it.
#[utoipa::path(
    post, path = "/api/v1/transactions/transfers", tag = "transactions", request_body = TransferBody,
    params(("Idempotency-Key" = String, Header, description = "Your own key: the same one when you try again.",
            min_length = 1, max_length = 255)),
    security(("bearer" = []), ("machine" = ["transfers:write"])),
    responses(
        (status = 201, description = "The money has moved. With `Idempotent-Replayed: true` it had before.",
         body = TransactionBody),
        (status = 400, description = "`malformed_request` or `idempotency_key_required`", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`step_up_required` for a large transfer, with the `methods` of a fresh approval: repeat it \
         with the same key; `insufficient_scope` of an API key; or the account is not active", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 404, description = "You have no such wallet", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 409, description = "The first request with this key is still running", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `recipient_not_found`, `same_wallet`, \
         `currency_mismatch`, `unsupported_currency`, `idempotency_key_reused`, `limit_exceeded`; and of the ledger \
         `insufficient_funds`, `wallet_frozen`, `wallet_closed`, `wallet_not_found`, `limit_exceeded`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The outcome is not known yet; ask again with the same key", body = ProblemBody,
         content_type = "application/problem+json"),
    )
)]
async fn send(
    State(state): State<AppState>,
    user: PersonOrMachine<TransfersWrite>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<TransferBody>,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::required(&headers)?;
    let request = body.parse(&state.config.open_currencies)?;
    let sender = Sender { id: user.id, claims: user.claims };
    let Answer { transaction, replayed } = state.transfers.send(&sender, key, request).await?;
    let response = answered(transaction, user.id);
    Ok(if replayed { idempotency::replayed(response) } else { response })
}

/// A final transfer always gives the same answer.
fn answered(transaction: Transaction, user: UserId) -> Response {
    if let (Status::Failed, Some(failure)) = (transaction.status, &transaction.failure) {
        if let Some(over) = transaction.over_limit {
            let currency = transaction.amount.currency;
            return outflow::problem(over, currency, failure.message.clone()).into_response();
        }
        let code = RefusalCode::named(&failure.code).name();
        return Problem::unprocessable(code, failure.message.clone()).into_response();
    }
    (StatusCode::CREATED, Json(TransactionBody::for_viewer(transaction, user))).into_response()
}
