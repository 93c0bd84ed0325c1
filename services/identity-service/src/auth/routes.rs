//! `/api/v1/identity/register` and `/login`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use common_auth::{Anybody, Method, permissions::SignsIn};
use common_db::idempotency::{self, IdempotencyKey};
use common_utils::http::{ApiJson, FieldErrors, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{LoggedIn, SignedIn, policy::PasswordPolicy};
use crate::{
    app::AppState,
    sessions::{Origin, routes::TokensBody},
    users::{entity::NewUser, routes::UserBody},
};

/// Longer ones are no password of ours; reading them would only cost.
const LONGEST_LOGIN_FIELD: usize = 1024;

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// International (`+…`), or a Nigerian number in its national form.
    #[schema(example = "+2348031234567")]
    phone_number: String,
    /// 8 to 128 characters of any kind, at least 15 where there are no second factors; no common password, and without one's name, e-mail address or phone number.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", min_length = 8, max_length = 128)]
    password: SecretString,
    #[schema(example = "Ada", min_length = 1, max_length = 100)]
    first_name: String,
    #[schema(example = "Obi", min_length = 1, max_length = 100)]
    last_name: String,
}

impl RegisterRequest {
    fn parse(self, policy: PasswordPolicy) -> Result<(NewUser, SecretString), Problem> {
        let mut errors = FieldErrors::new();
        let email = errors.take("email", self.email.parse());
        let phone_number = errors.take("phoneNumber", self.phone_number.parse());
        let first_name = errors.take("firstName", self.first_name.parse());
        let last_name = errors.take("lastName", self.last_name.parse());
        if let Err(weak) = policy.check_length(&self.password) {
            errors.push("password", weak.code(), weak.to_string());
        }
        let (Some(email), Some(phone_number), Some(first_name), Some(last_name)) =
            (email, phone_number, first_name, last_name)
        else {
            return Err(errors.into_problem());
        };
        errors.into_result()?;
        Ok((NewUser { email, phone_number, first_name, last_name }, self.password))
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The e-mail address or the phone number.
    #[schema(example = "ada@example.com", max_length = 1024)]
    #[validate(length(max = 1024, message = "must have at most 1024 characters"))]
    identifier: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    password: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SignedInAnswer {
    user: UserBody,
    tokens: TokensBody,
}

impl From<SignedIn> for SignedInAnswer {
    fn from(signed_in: SignedIn) -> Self {
        Self { user: signed_in.user.into(), tokens: signed_in.tokens.into() }
    }
}

/// The password was right. The log-in goes on with `/mfa/verify`, or with another call that takes a challenge.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChallengeAnswer {
    /// Always true.
    mfa_required: bool,
    /// Good for five minutes.
    #[schema(example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    challenge_id: String,
    /// What may be given.
    #[schema(example = json!(["totp", "recovery"]))]
    methods: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LoginAnswer {
    SignedIn(Box<SignedInAnswer>),
    Challenged(ChallengeAnswer),
}

impl From<LoggedIn> for LoginAnswer {
    fn from(logged_in: LoggedIn) -> Self {
        match logged_in {
            LoggedIn::Entered(signed_in) => Self::SignedIn(Box::new((*signed_in).into())),
            LoggedIn::Challenged(challenge) => Self::Challenged(ChallengeAnswer {
                mfa_required: true,
                challenge_id: challenge.token.encode().to_string(),
                methods: challenge.methods.into_iter().map(Method::name).collect(),
            }),
        }
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(register)).routes(routes!(log_in))
}

/// Register
///
/// The account is made, its owner signed in and sent a code by e-mail and by SMS, and `identity.user.registered` published, on which the first wallet is
/// made. Repeated with the same `Idempotency-Key`, content and password it answers as the first time, with new tokens.
#[utoipa::path(
    post, path = "/api/v1/identity/register", tag = "identity",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    request_body = RegisterRequest,
    responses(
        (status = 201, body = SignedInAnswer),
        Refused<400>,
        (status = 409, description = "`email_taken` or `phone_taken`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>, Refused<503>,
    )
)]
async fn register(
    State(state): State<AppState>,
    _: Anybody<SignsIn>,
    headers: HeaderMap,
    origin: Origin,
    ApiJson(request): ApiJson<RegisterRequest>,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::optional(&headers)?;
    let (new, password) = request.parse(state.auth.policy)?;
    let registered = state.auth.register(new, password, key, &origin).await?;
    let body = Json(SignedInAnswer::from(registered.signed_in));
    let response = (StatusCode::CREATED, body).into_response();
    Ok(if registered.replayed { idempotency::replayed(response) } else { response })
}

/// Log in
///
/// An unknown identifier and a wrong password get the same answer. After some failures the next attempt has to wait, whether there is
/// such an account or not. Who has a second factor is asked for it: the answer is a challenge in the place of tokens.
#[utoipa::path(
    post, path = "/api/v1/identity/login", tag = "identity",
    request_body = LoginRequest,
    responses(
        (status = 200, body = LoginAnswer),
        Refused<400>,
        (status = 401, description = "`invalid_credentials`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>,
        (status = 429, description = "`too_many_attempts`, with `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn log_in(
    State(state): State<AppState>,
    _: Anybody<SignsIn>,
    origin: Origin,
    ApiJson(request): ApiJson<LoginRequest>,
) -> Result<Json<LoginAnswer>, Problem> {
    if request.password.expose_secret().chars().count() > LONGEST_LOGIN_FIELD {
        return Err(Problem::invalid_field("password", "length", "must have at most 1024 characters"));
    }
    Ok(Json(state.auth.log_in(&request.identifier, request.password, &origin).await?.into()))
}
