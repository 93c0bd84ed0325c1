//! Text that comes from a provider, made safe to keep and to log.

/// Without control characters (Postgres refuses NUL), trimmed, at most `longest` characters.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let kept: String = text.chars().filter(|letter| !letter.is_control()).collect();
    kept.trim().chars().take(longest).collect()
}

/// A provider's message without what may be personal: numbers of five digits or more, and addresses of e-mail.
pub(super) fn redacted(message: &str) -> String {
    let word = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if digits >= 5 || word.contains('@') { "[…]".to_owned() } else { word.to_owned() }
    };
    let words: Vec<String> = plain(message, 200).split_whitespace().map(word).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_excess_are_dropped() {
        assert_eq!(plain(" Ada\0 \u{7}Example\n", 100), "Ada Example");
        assert_eq!(plain("ääää", 2), "ää");
    }

    #[test]
    fn numbers_and_addresses_do_not_survive() {
        assert_eq!(
            redacted("BVN 22222222221 of ada@example.com (+234-802-000) is in tier 2."),
            "BVN […] of […] […] is in tier 2."
        );
    }
}
