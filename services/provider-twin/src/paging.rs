//! The provider's paging: `?page&perPage`, answered with `metadata{page,totalRecords,totalPages}`.

use serde_json::{Value, json};

use crate::error::Refusal;

const DEFAULT_PER_PAGE: usize = 20;
const MOST_PER_PAGE: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    page: usize,
    per_page: usize,
}

impl Paging {
    /// Pages count from one.
    pub(crate) fn new(page: Option<usize>, per_page: Option<usize>) -> Result<Self, Refusal> {
        let (page, per_page) = (page.unwrap_or(1), per_page.unwrap_or(DEFAULT_PER_PAGE));
        if page == 0 || per_page == 0 {
            return Err(Refusal::bad("page and perPage count from one."));
        }
        Ok(Self { page, per_page: per_page.min(MOST_PER_PAGE) })
    }

    /// The rows of this page, and the metadata.
    pub(crate) fn cut<T>(self, rows: impl Iterator<Item = T>) -> (Vec<T>, Value) {
        let first = (self.page - 1).saturating_mul(self.per_page);
        let mut total = 0;
        let mut cut = Vec::new();
        for (index, row) in rows.enumerate() {
            total = index + 1;
            if index >= first && cut.len() < self.per_page {
                cut.push(row);
            }
        }
        let pages = total.div_ceil(self.per_page);
        (cut, json!({ "page": self.page, "totalRecords": total, "totalPages": pages }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_and_counted() {
        let cut = |page, per_page| Paging::new(Some(page), Some(per_page)).unwrap().cut(1..=5);
        assert_eq!(cut(2, 2).0, [3, 4]);
        assert_eq!(cut(3, 2), (vec![5], json!({ "page": 3, "totalRecords": 5, "totalPages": 3 })));
        assert!(cut(usize::MAX, 100).0.is_empty());
        assert!(Paging::new(Some(0), None).is_err());
    }
}
