//! Words that people write. What Postgres cannot keep (U+0000) and what no person types (other control characters) is
//! refused at the edge; a text of nothing but space says nothing.

use std::borrow::Cow;

use validator::ValidationError;

/// A line of 1 to 200 characters: a subject, a reason.
pub(crate) fn line(text: &str) -> Result<(), ValidationError> {
    check(text, 200, |_| false, "must be one line of 1 to 200 characters")
}

/// A line that may be empty: a description.
pub(crate) fn remark(text: &str) -> Result<(), ValidationError> {
    if text.is_empty() { Ok(()) } else { line(text) }
}

/// 1 to 5000 characters, with line breaks.
pub(crate) fn prose(text: &str) -> Result<(), ValidationError> {
    let breaks = |letter| matches!(letter, '\n' | '\r' | '\t');
    check(text, 5000, breaks, "must have 1 to 5000 characters")
}

fn check(
    text: &str,
    longest: usize,
    allowed_control: impl Fn(char) -> bool,
    message: &'static str,
) -> Result<(), ValidationError> {
    let refused = |code: &'static str, message: &'static str| {
        ValidationError::new(code).with_message(Cow::Borrowed(message))
    };
    if text.trim().is_empty() || text.chars().count() > longest {
        return Err(refused("length", message));
    }
    if text.chars().any(|letter| letter.is_control() && !allowed_control(letter)) {
        return Err(refused("invalid_characters", "must not contain control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_and_not_bytes() {
        assert!(line(&"ẹ".repeat(200)).is_ok() && line(&"ẹ".repeat(201)).is_err());
        assert!(prose(&"ẹ".repeat(5000)).is_ok() && prose(&"ẹ".repeat(5001)).is_err());
    }

    #[test]
    fn what_says_nothing_or_cannot_be_kept_is_refused() {
        for text in ["", "  ", "\n", "a\0b", "a\u{7}b"] {
            assert!(line(text).is_err() && prose(text).is_err(), "{text:?}");
        }
        assert!(line("two\nlines").is_err() && prose("two\nlines").is_ok());
    }
}
