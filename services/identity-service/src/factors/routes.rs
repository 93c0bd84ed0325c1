//! `/api/v1/identity/mfa/…` and `/step-up`.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use common_auth::{
    Anybody, CurrentUser, Method, StepUp,
    permissions::ProvedByContent,
    step_up::{BesidePassword, Finishing, Fresh},
};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    Evidence, Reproof,
    enrolment::{Confirmed, Enrolled, Enrolment},
    error::FactorError,
};
use crate::{
    app::AppState,
    auth::routes::SignedInAnswer,
    codes::entity::Code,
    crypto::token::SecretToken,
    passwords::routes::{EnrolRequest, LONGEST_PASSWORD},
    pin::{Pin, routes::read_pin},
    sessions::{
        Origin,
        routes::{AccessTokenAnswer, AccessTokenBody},
    },
};

/// What somebody proves who they are with beside the password.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecondFactors)]
pub(crate) struct FactorsBody {
    /// Of `totp`, `recovery`, `passkey`, `device` and `pin`.
    #[schema(example = json!(["totp", "recovery"]))]
    methods: Vec<&'static str>,
    /// Since when there is an authenticator app.
    totp_since: Option<DateTime<Utc>>,
    #[schema(example = 10)]
    recovery_codes_left: i64,
}

impl From<Enrolled> for FactorsBody {
    fn from(enrolled: Enrolled) -> Self {
        Self {
            methods: enrolled.methods.into_iter().map(Method::name).collect(),
            totp_since: enrolled.app_since,
            recovery_codes_left: enrolled.recovery_codes_left,
        }
    }
}

/// What an authenticator app is told. It is shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TotpEnrolment)]
pub(crate) struct EnrolmentBody {
    /// For who cannot scan: base32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    #[schema(
        example = "otpauth://totp/Wallet:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Wallet"
    )]
    otpauth_uri: String,
    /// The same as an image: `data:image/svg+xml;base64,…`.
    qr_code: String,
}

impl From<Enrolment> for EnrolmentBody {
    fn from(enrolment: Enrolment) -> Self {
        Self { secret: enrolment.secret, otpauth_uri: enrolment.uri, qr_code: enrolment.qr_code }
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfirmTotpRequest {
    #[schema(value_type = String, example = "123456", pattern = "^[0-9]{6}$")]
    code: SecretString,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryCodesAnswer {
    /// Each is good once. They are shown once.
    #[schema(example = json!(["abcd-efgh-jkmn-pqrs"]))]
    recovery_codes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmedAnswer {
    /// With the first second factor that one has: ten, each good once. They are shown once.
    #[schema(example = json!(["abcd-efgh-jkmn-pqrs"]))]
    recovery_codes: Vec<String>,
    tokens: AccessTokenBody,
}

impl From<Confirmed> for ConfirmedAnswer {
    fn from(confirmed: Confirmed) -> Self {
        Self { recovery_codes: confirmed.recovery_codes, tokens: confirmed.access.into() }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SecondFactorMethod)]
pub(crate) enum CodeMethod {
    Totp,
    Recovery,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VerifyRequest {
    /// As log-in answered it.
    #[schema(value_type = String, example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    challenge_id: SecretString,
    method: CodeMethod,
    /// Six digits of the authenticator app, or a recovery code.
    #[schema(value_type = String, example = "123456", max_length = 64)]
    code: SecretString,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepUpMethod {
    Password,
    Totp,
    Recovery,
    Pin,
}

/// With `password`, `code` or `pin`, as the method says.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"method": "totp", "code": "123456"}))]
pub(crate) struct StepUpRequest {
    method: StepUpMethod,
    #[schema(value_type = Option<String>, format = Password, max_length = 1024)]
    password: Option<SecretString>,
    #[schema(value_type = Option<String>, max_length = 64)]
    code: Option<SecretString>,
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4,6}$")]
    pin: Option<SecretString>,
}

/// What was given, read.
enum Given {
    Proof(Reproof),
    /// It approves payments, and nothing else.
    Pin(Pin),
}

impl StepUpRequest {
    fn parse(self) -> Result<Given, Problem> {
        let by_code = |method, code: Option<SecretString>| {
            let code = code.ok_or_else(|| missing("code"))?;
            Ok(Given::Proof(Reproof::SecondFactor(evidence(method, &code)?)))
        };
        match self.method {
            StepUpMethod::Password => {
                let password = self.password.ok_or_else(|| missing("password"))?;
                if password.expose_secret().chars().count() > LONGEST_PASSWORD {
                    let message = format!("must have at most {LONGEST_PASSWORD} characters");
                    return Err(Problem::invalid_field("password", "length", message));
                }
                Ok(Given::Proof(Reproof::Password(password)))
            }
            StepUpMethod::Totp => by_code(CodeMethod::Totp, self.code),
            StepUpMethod::Recovery => by_code(CodeMethod::Recovery, self.code),
            StepUpMethod::Pin => Ok(Given::Pin(read_pin("pin", &self.pin.ok_or_else(|| missing("pin"))?)?)),
        }
    }
}

fn missing(field: &str) -> Problem {
    Problem::invalid_field(field, "required", "is what this method takes")
}

fn evidence(method: CodeMethod, code: &SecretString) -> Result<Evidence, Problem> {
    match method {
        CodeMethod::Totp => Ok(Evidence::Totp(totp_code(code)?)),
        CodeMethod::Recovery => {
            let code = code.expose_secret().parse();
            let invalid = |error| Problem::invalid_field("code", "invalid", format!("{error}"));
            Ok(Evidence::Recovery(code.map_err(invalid)?))
        }
    }
}

fn totp_code(code: &SecretString) -> Result<Code, Problem> {
    let code = code.expose_secret().parse();
    code.map_err(|error| Problem::invalid_field("code", "invalid", format!("{error}")))
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(list))
        .routes(routes!(begin_totp, remove_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(renew_recovery_codes))
        .routes(routes!(verify))
        .routes(routes!(step_up))
}

/// What one proves who one is with beside the password
#[utoipa::path(
    get, path = "/api/v1/identity/mfa", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = FactorsBody), Refused<401>)
)]
async fn list(State(state): State<AppState>, caller: CurrentUser) -> Result<Json<FactorsBody>, Problem> {
    Ok(Json(state.factors.enrolled(caller.id).await?.into()))
}

/// Add an authenticator app
///
/// Answers the secret, once. Nothing is asked for until a code of it has confirmed it, within a quarter of an hour. Asked for again,
/// another secret takes its place. Takes the password, or from who has a second factor a fresh proof by it.
#[utoipa::path(
    post, path = "/api/v1/identity/mfa/totp", tag = "identity", security(("bearer" = [])),
    request_body = EnrolRequest,
    responses(
        (status = 200, body = EnrolmentBody),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or there are no second factors here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "There is one already", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a missing or wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn begin_totp(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<EnrolRequest>,
) -> Result<Json<EnrolmentBody>, Problem> {
    Ok(Json(state.factors.begin(&caller.user, request.password()?).await?.into()))
}

/// Confirm an authenticator app
///
/// From now on logging in takes a code of it. Answers an access token that says that the code was given, and with
/// the first second factor recovery codes, once. Tells the
/// person, and publishes `identity.user.factor_added`.
#[utoipa::path(
    post, path = "/api/v1/identity/mfa/totp/confirm", tag = "identity", security(("bearer" = [])),
    request_body = ConfirmTotpRequest,
    responses(
        (status = 200, body = ConfirmedAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has got a second factor since it was begun, the account is not active, or there are no second factors here", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `enrolment_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many codes were tried", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn confirm_totp(
    State(state): State<AppState>,
    caller: StepUp<Finishing>,
    ApiJson(request): ApiJson<ConfirmTotpRequest>,
) -> Result<Json<ConfirmedAnswer>, Problem> {
    let code = totp_code(&request.code)?;
    Ok(Json(state.factors.confirm(&caller.user, &code).await?.into()))
}

/// Remove the authenticator app
///
/// With the last second factor, the recovery codes are gone, too. Takes a proof of the last five minutes, by a second factor. Tells the person,
/// and publishes `identity.user.factor_removed`.
#[utoipa::path(
    delete, path = "/api/v1/identity/mfa/totp", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 204, description = "It is removed"),
        Refused<401>,
        (status = 403, description = "`step_up_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn remove_totp(State(state): State<AppState>, caller: StepUp<Fresh>) -> Result<StatusCode, Problem> {
    state.factors.remove_totp(caller.user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get other recovery codes
///
/// Those of before are good for nothing any more. Takes a proof of the last five minutes, by a second factor.
#[utoipa::path(
    post, path = "/api/v1/identity/mfa/recovery-codes", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, body = RecoveryCodesAnswer),
        Refused<401>,
        (status = 403, description = "`step_up_required`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no second factor that they would replace", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn renew_recovery_codes(
    State(state): State<AppState>,
    caller: StepUp<Fresh>,
) -> Result<Json<RecoveryCodesAnswer>, Problem> {
    let recovery_codes = state.factors.renew_recovery_codes(caller.user.id).await?;
    Ok(Json(RecoveryCodesAnswer { recovery_codes }))
}

/// Go on with a log-in that asks for a second factor
///
/// Within five minutes, and after at most four wrong codes. Wrong codes are counted as wrong passwords are. No code is good twice.
#[utoipa::path(
    post, path = "/api/v1/identity/mfa/verify", tag = "identity",
    request_body = VerifyRequest,
    responses(
        (status = 200, body = SignedInAnswer),
        Refused<400>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `challenge_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`, with `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn verify(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiJson(request): ApiJson<VerifyRequest>,
) -> Result<Json<SignedInAnswer>, Problem> {
    let token = SecretToken::parse(request.challenge_id.expose_secret());
    let token = token.ok_or(FactorError::ChallengeExpired)?;
    let evidence = evidence(request.method, &request.code)?;
    Ok(Json(state.factors.complete(&token, evidence, &origin).await?.into()))
}

/// Prove once more who one is
///
/// For calls that answer `step_up_required`. The access token that comes back belongs to the same session, whose refresh token stays as it is. The
/// password is taken from those alone who have no second factor. The transaction PIN approves payments, and nothing else.
#[utoipa::path(
    post, path = "/api/v1/identity/step-up", tag = "identity", security(("bearer" = [])),
    request_body = StepUpRequest,
    responses(
        (status = 200, body = AccessTokenAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`pin_locked`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no PIN", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, or `validation_failed`: a wrong password, a method that is not accepted", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn step_up(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<StepUpRequest>,
) -> Result<Json<AccessTokenAnswer>, Problem> {
    let access = match request.parse()? {
        Given::Proof(proof) => state.factors.step_up(&caller, proof).await?,
        Given::Pin(pin) => {
            let verified = state.pins.verify(&caller, pin).await;
            verified.map_err(|error| error.into_problem("pin"))?
        }
    };
    Ok(Json(access.into()))
}
