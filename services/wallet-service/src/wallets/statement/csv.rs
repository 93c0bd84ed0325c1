//! A statement as CSV (RFC 4180), to be opened in a spreadsheet: amounts are decimal, in major units, and no text is one that
//! a spreadsheet takes for a formula.
//!
//! The first row is the opening balance, the last one the closing balance; between them stand the entries, oldest first.

use std::{borrow::Cow, fmt::Write, ops::Range};

use chrono::{DateTime, SecondsFormat, Utc};
use common_utils::money::Money;

use crate::ledger::Statement;

const HEAD: &str = "sequence,createdAt,direction,amount,balanceAfter,currency,transactionId,description\r\n";

pub(super) fn write(statement: &Statement, period: &Range<DateTime<Utc>>) -> String {
    let currency = statement.currency;
    let major = |amount| Money::new(amount, currency).to_major();
    let balance =
        |at: DateTime<Utc>, amount, name| format!(",{},,,{},{currency},,{name}\r\n", time(at), major(amount));
    let mut file = String::from(HEAD);
    file += &balance(period.start, statement.opening, "Opening balance");
    for entry in &statement.entries {
        // Writing to a string cannot fail.
        let _ = write!(
            file,
            "{},{},{},{},{},{currency},{},{}\r\n",
            entry.sequence,
            time(entry.posted_at),
            entry.direction.name(),
            entry.amount.to_major(),
            major(entry.balance_after),
            entry.posting_id,
            text(&entry.description),
        );
    }
    file += &balance(period.end, statement.closing, "Closing balance");
    file
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Words that somebody else may have chosen. A spreadsheet would carry out what starts like a formula; after an apostrophe
/// it is text.
fn text(words: &str) -> Cow<'_, str> {
    let safe = if words.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{words}"))
    } else {
        Cow::Borrowed(words)
    };
    if safe.contains(['"', ',', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", safe.replace('"', "\"\"")))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_formula_or_for_more_than_one_field() {
        for (words, written) in [
            ("", ""),
            ("Lunch", "Lunch"),
            ("1 - 2", "1 - 2"),
            ("=1+1", "'=1+1"),
            ("+234", "'+234"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(text(words), written);
        }
    }
}
