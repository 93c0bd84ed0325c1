//! `/api/v1/identity/kyc/cases`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use common_auth::CurrentUser;
use common_db::idempotency::{self, RepeatableCall, SavedResponse};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, FieldErrors, Problem, ProblemBody, Refused, Routes,
    paging::{self, Limit, Page, PageQuery},
    routes,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{Answer, Application, entity::CaseId, view::CaseView};
use crate::{
    app::AppState,
    kyc::{claims::Address, entity::DateOfBirth},
};

/// The longest line of an address.
const LONGEST_LINE: usize = 200;

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KycApplication)]
pub(crate) struct OpenRequest {
    /// ISO 3166; where the platform is at home unless it is given.
    #[schema(example = "NG", pattern = "^[A-Z]{2}$")]
    country: Option<String>,
    #[schema(minimum = 1, maximum = 3, example = 2)]
    tier: i16,
    /// The bank verification number; not needed by who is verified with one.
    #[schema(value_type = Option<String>, example = "22222222221", pattern = "^[0-9]{11}$")]
    bvn: Option<SecretString>,
    /// The national identification number; not needed by who is verified with one.
    #[schema(value_type = Option<String>, example = "11111111111", pattern = "^[0-9]{11}$")]
    nin: Option<SecretString>,
    /// At least 18 years ago.
    #[schema(value_type = String, format = Date, example = "1990-01-31")]
    date_of_birth: SecretString,
    /// Where the person lives; for a tier that has it proved.
    address: Option<AddressBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KycAddress)]
struct AddressBody {
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "1 Marina Road")]
    line: SecretString,
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "Lagos Island")]
    city: SecretString,
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "Lagos")]
    state: SecretString,
}

impl std::fmt::Debug for AddressBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressBody(…)")
    }
}

impl AddressBody {
    fn parse(&self, errors: &mut FieldErrors) -> Address {
        let mut line = |field: &str, text: &SecretString| {
            let text = text.expose_secret().trim();
            let fits =
                (1..=LONGEST_LINE).contains(&text.chars().count()) && !text.chars().any(char::is_control);
            if !fits {
                errors.push(
                    format!("address.{field}"),
                    "invalid",
                    format!("must have 1 to {LONGEST_LINE} characters, none of them a control character"),
                );
            }
            text.to_owned()
        };
        Address {
            line: line("line", &self.line),
            city: line("city", &self.city),
            state: line("state", &self.state),
        }
    }
}

impl OpenRequest {
    fn parse(self, today: NaiveDate) -> Result<Application, Problem> {
        let mut errors = FieldErrors::new();
        let bvn = self.bvn.and_then(|bvn| errors.take("bvn", bvn.expose_secret().parse()));
        let nin = self.nin.and_then(|nin| errors.take("nin", nin.expose_secret().parse()));
        let date_of_birth = DateOfBirth::parse(self.date_of_birth.expose_secret(), today)
            .map_err(|error| errors.push("dateOfBirth", error.code(), error.to_string()))
            .ok();
        let address = self.address.map(|address| address.parse(&mut errors));
        let Some(date_of_birth) = date_of_birth else { return Err(errors.into_problem()) };
        errors.into_result()?;
        Ok(Application { country: self.country, tier: self.tier, bvn, nin, date_of_birth, address })
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(open, list)).routes(routes!(get_one))
}

/// Apply for a tier
///
/// What is told is held against the registers, with the names of the account; the rules decide, or reviewers do. Documents are
/// uploaded to the case. One case a tier is open at a time, and five may be opened a day.
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/cases", tag = "kyc", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time.")),
    request_body = OpenRequest,
    responses(
        (status = 201, body = CaseView),
        Refused<400>, Refused<401>, Refused<403>,
        (status = 409, description = "`case_open`, `tier_reached`, or verified with something else", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>,
        (status = 429, description = "Too many applications today", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn open(
    State(state): State<AppState>,
    caller: CurrentUser,
    headers: HeaderMap,
    ApiJson(request): ApiJson<OpenRequest>,
) -> Result<Response, Problem> {
    let application = request.parse(state.clock.now().date_naive())?;
    let known = application.fingerprint(&state.cases.vault);
    let call = RepeatableCall::read(&headers, caller.id, "kyc.case", &known)?;
    Ok(respond(state.cases.open(caller.id, application, &call).await?))
}

/// One's own cases, newest first
#[utoipa::path(
    get, path = "/api/v1/identity/kyc/cases", tag = "kyc", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<CaseView>), Refused<401>, Refused<422>, Refused<503>)
)]
async fn list(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<CaseView>>, Problem> {
    let before: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    Ok(Json(state.cases.list(caller.id, before, Limit::new(query.limit)).await?))
}

/// One of one's own cases
#[utoipa::path(
    get, path = "/api/v1/identity/kyc/cases/{id}", tag = "kyc", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, body = CaseView), Refused<401>, Refused<404>, Refused<503>)
)]
async fn get_one(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<CaseId>,
) -> Result<Json<CaseView>, Problem> {
    Ok(Json(state.cases.get(caller.id, id).await?))
}

pub(crate) fn respond(answer: Answer) -> Response {
    let shown = |saved: SavedResponse| {
        let status = StatusCode::from_u16(saved.status).unwrap_or(StatusCode::OK);
        (status, Json(saved.body))
    };
    match answer {
        Answer::Now(saved) => shown(saved).into_response(),
        Answer::Replayed(saved) => idempotency::replayed(shown(saved)),
    }
}
