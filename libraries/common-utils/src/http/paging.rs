//! Lists: newest first, `limit` 1–100 (default 20), an opaque `cursor`, answered as `{"items":[…],"nextCursor":…}`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::problem::Problem;

const DEFAULT_LIMIT: u16 = 20;

/// The query parameters of a list. Flattening does not work with query strings, so a list with filters repeats them.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u16>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// How many rows to read: one more than asked for tells whether there is a next page.
#[derive(Debug, Clone, Copy)]
pub struct Limit(u16);

impl Limit {
    pub fn new(asked: Option<u16>) -> Self {
        Self(asked.unwrap_or(DEFAULT_LIMIT))
    }

    pub fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// From up to `limit.rows()` rows; `key` gives what the cursor must remember of the last item shown.
    pub fn from_rows<K: Serialize>(mut items: Vec<T>, limit: Limit, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > usize::from(limit.0);
        items.truncate(usize::from(limit.0));
        let next_cursor = if more { items.last().map(|last| encode(&key(last))) } else { None };
        Self { items, next_cursor }
    }

    pub fn map<U>(self, shape: impl Fn(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(shape).collect(), next_cursor: self.next_cursor }
    }
}

fn encode<K: Serialize>(key: &K) -> String {
    // Keys are ids, numbers and times: writing them as JSON cannot fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// Reads a cursor that [`Page::from_rows`] wrote.
pub fn decode<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .map(Some)
        .ok_or_else(|| {
            Problem::invalid_field("cursor", "invalid", "must be the nextCursor of an earlier page")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_given_only_when_there_is_more() {
        let limit = Limit::new(Some(2));
        let page = Page::from_rows(vec![9, 8, 7], limit, |item| *item);
        assert_eq!(page.items, [9, 8]);
        assert_eq!(decode::<i32>(page.next_cursor.as_deref()).unwrap(), Some(8));
        assert!(Page::from_rows(vec![9, 8], limit, |item| *item).next_cursor.is_none());
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        for cursor in ["", "!", "AAAA", "bnVsbA"] {
            assert_eq!(decode::<i32>(Some(cursor)).unwrap_err().errors()[0].field, "cursor");
        }
    }
}
