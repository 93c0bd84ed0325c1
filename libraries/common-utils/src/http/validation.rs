//! Collects everything that is wrong with a request, so that a client learns of all of it at once.

use std::borrow::Cow;

use validator::{ValidationErrors, ValidationErrorsKind};

use super::problem::{FieldError, Problem};

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(
        &mut self,
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) {
        self.0.push(FieldError::new(field, code, message));
    }

    /// Keeps the value, or notes the error under `field` with the code `invalid`.
    pub fn take<T, E: std::fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.push(field, "invalid", error.to_string())).ok()
    }

    /// The problem, if anything was wrong.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::validation(self.0)) }
    }

    /// The problem of a request that is known not to fit.
    pub fn into_problem(self) -> Problem {
        Problem::validation(self.0)
    }
}

/// `validator` speaks of Rust's fields; clients know their camelCase names.
pub(super) fn from_validator(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut found = Vec::new();
    collect("", errors, &mut found);
    found.sort_by(|one, other| one.field.cmp(&other.field));
    found
}

fn collect(prefix: &str, errors: &ValidationErrors, found: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let name = camel_case(name);
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match kind {
            ValidationErrorsKind::Field(list) => found.extend(list.iter().map(|error| {
                let message = error.message.clone().unwrap_or(Cow::Borrowed("does not fit"));
                FieldError::new(path.clone(), error.code.clone(), message)
            })),
            ValidationErrorsKind::Struct(inner) => collect(&path, inner, found),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    collect(&format!("{path}[{index}]"), inner, found);
                }
            }
        }
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut joined, word| {
        let mut letters = word.chars();
        joined.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        joined.push_str(letters.as_str());
        joined
    })
}
