//! Whether two names are of one person, as a score of 0 to 100.
//!
//! A name becomes tokens: decomposed (Unicode NFKD), without accents, dots below and apostrophes, in lower case, split at
//! everything else that is no letter, titles left out. Each token of the name with fewer of them is paired with another one of the
//! other name, so that the sum of the similarities is the largest. The similarity is that of Jaro and Winkler, 0 where it is below
//! 0.8, and 0.9 for an initial and a token that begins with it. The score is the mean of the pairs, less 3 for each token that is left
//! over, at most 9: a second given name that only the record has is common. One token alone never gets more than 70.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// More tokens than anybody's name has; the rest is not looked at.
const MOST_TOKENS: usize = 8;
const UNLIKE_BELOW: u32 = 800;
const INITIAL: u32 = 900;
const WHOLE: u32 = 1000;
const LEFT_OVER: u32 = 3;
const MOST_LEFT_OVER: u32 = 9;
const ONE_TOKEN_AT_MOST: u32 = 70;
const CLAIMED_IN_DOUBT: u8 = 70;
const TITLES: [&str; 20] = [
    "mr", "mrs", "ms", "miss", "mallam", "dr", "prof", "engr", "barr", "arc", "chief", "alhaji", "alhaja",
    "hajia", "hajiya", "pastor", "rev", "sir", "lady", "otunba",
];

/// How far a registered name is that of who claims the number. What an account's name has beyond the record's, or where either is
/// hardly written out, is for people to decide: else one account would fit two people, and two initials anybody.
pub(crate) fn claimed(name: &str, registered: &str) -> u8 {
    let (told, record) = (tokens(name), tokens(registered));
    let whole = |names: &[String]| names.iter().filter(|token| token.chars().count() > 1).count();
    let doubtful = told.len() > record.len() || whole(&told).min(whole(&record)) < 2;
    let score = score(name, registered);
    if doubtful { score.min(CLAIMED_IN_DOUBT) } else { score }
}

/// The same whichever name comes first.
pub(crate) fn score(one: &str, other: &str) -> u8 {
    let (one, other) = (tokens(one), tokens(other));
    let (fewer, more) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if fewer.is_empty() {
        return 0;
    }
    let left_over = more.len() - fewer.len();
    let count = u32::try_from(fewer.len()).unwrap_or(u32::MAX);
    let mean = best_pairing(&fewer, &more) / (count * 10);
    let penalty = u32::try_from(left_over).unwrap_or(u32::MAX).saturating_mul(LEFT_OVER).min(MOST_LEFT_OVER);
    let score = mean.saturating_sub(penalty);
    let score = if fewer.len() == 1 { score.min(ONE_TOKEN_AT_MOST) } else { score };
    u8::try_from(score).unwrap_or(100)
}

fn tokens(name: &str) -> Vec<String> {
    let plain: String = name
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter) && !is_apostrophe(*letter))
        .flat_map(char::to_lowercase)
        .flat_map(|letter| plain_letter(letter).chars().collect::<Vec<_>>())
        .collect();
    let words = || plain.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let names = words().filter(|word| !TITLES.contains(word)).map(str::to_owned).take(MOST_TOKENS);
    let names: Vec<_> = names.collect();
    // Somebody may be called Chief.
    if names.is_empty() { words().map(str::to_owned).take(MOST_TOKENS).collect() } else { names }
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '\u{2019}' | '\u{2018}' | '\u{02bc}' | '`')
}

/// Letters that have no decomposition, among them the hooked ones of Hausa.
fn plain_letter(letter: char) -> String {
    match letter {
        'ɓ' => "b".to_owned(),
        'ɗ' | 'đ' => "d".to_owned(),
        'ƙ' => "k".to_owned(),
        'ƴ' => "y".to_owned(),
        'ŋ' => "n".to_owned(),
        'ø' | 'ɔ' => "o".to_owned(),
        'ł' => "l".to_owned(),
        'ß' => "ss".to_owned(),
        'æ' => "ae".to_owned(),
        'ɛ' => "e".to_owned(),
        _ => letter.to_string(),
    }
}

/// In thousandths.
fn similarity(one: &str, other: &str) -> u32 {
    if one == other {
        return WHOLE;
    }
    let (shorter, longer) =
        if one.chars().count() <= other.chars().count() { (one, other) } else { (other, one) };
    if shorter.chars().count() == 1 {
        return if longer.starts_with(shorter) { INITIAL } else { 0 };
    }
    // Which letters the measure pairs may hang on which word comes first.
    let measured = strsim::jaro_winkler(one, other).max(strsim::jaro_winkler(other, one));
    let thousandths = in_thousandths(measured);
    if thousandths < UNLIKE_BELOW { 0 } else { thousandths.min(WHOLE) }
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a similarity between 0 and 1, of which three digits are kept"
)]
fn in_thousandths(similarity: f64) -> u32 {
    (similarity.clamp(0.0, 1.0) * 1000.0) as u32
}

/// The largest sum of similarities, each of `fewer` paired with another one of `more`. `best[taken]` is the largest sum for the tokens
/// so far with these of `more` taken.
fn best_pairing(fewer: &[String], more: &[String]) -> u32 {
    let mut best: Vec<Option<u32>> = vec![None; 1 << more.len()];
    best[0] = Some(0);
    for token in fewer {
        let mut next = vec![None; best.len()];
        for (taken, sum) in best.iter().enumerate() {
            let Some(sum) = sum else { continue };
            for (index, candidate) in more.iter().enumerate() {
                if taken & (1 << index) != 0 {
                    continue;
                }
                let with = &mut next[taken | (1 << index)];
                *with = (*with).max(Some(sum + similarity(token, candidate)));
            }
        }
        best = next;
    }
    best.into_iter().flatten().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_fits_two_people_or_anybody_is_for_reviewers() {
        for (told, registered) in [
            ("Ada Musa Obi Bello", "Obi Ada"),
            ("Ada Musa Obi Bello", "Musa Bello"),
            ("A O", "Obi Ada"),
            ("A O", "Okafor Amaka"),
            ("Ada Obi", "A O"),
        ] {
            assert!(claimed(told, registered) <= CLAIMED_IN_DOUBT, "{told} {registered}");
        }
        assert_eq!(claimed("Ada Obi", "OBI, Ada"), 100);
        assert!(claimed("Ada Obi", "Obi Ada Chioma") > 90, "the record has a second given name");
    }

    #[test]
    fn order_case_accents_titles_and_signs_make_no_difference() {
        for (one, other) in [
            ("Ada Obi", "OBI ADA"),
            ("Ṣọlá Adébáyọ̀", "Sola Adebayo"),
            ("Chukwu-Emeka Okafor", "OKAFOR, Chukwu Emeka"),
            ("Dr. Ngozi Okonjo", "okonjo ngozi"),
            ("Alhaji Ɗanladi Ƙasimu", "Danladi Kasimu"),
            ("Aisha O’Neil", "ONEIL AISHA"),
            ("Ｆｕｎｍｉ Ojo", "Funmi Ojo"),
        ] {
            assert_eq!(score(one, other), 100, "{one} and {other}");
        }
    }

    #[test]
    fn what_is_common_scores_high_and_what_is_doubtful_lower() {
        for (one, other, least, most) in [
            ("Ada Obi", "OBI ADA NGOZI", 97, 97),
            ("Chukwuemeka Obi", "C. Obi", 95, 95),
            ("Chukwuemeka Obi", "Chukwu-Emeka Obi", 88, 99),
            ("Olusegun Adeyemi", "Olusegum Adeyemi", 95, 99),
            ("Emeka Obi", "Chukwuemeka Obi", 50, 87),
            ("Ada", "Ada Obi", 67, 70),
            ("Ada Obi", "Ada Nwosu", 50, 59),
            ("Ada Obi", "Bola Tinubu", 0, 0),
            ("Ada Obi", "", 0, 0),
            ("", "", 0, 0),
            ("Chief", "Chief", 70, 70),
        ] {
            let score = score(one, other);
            assert!((least..=most).contains(&score), "{one} and {other}: {score}");
        }
    }

    #[test]
    fn one_token_is_paired_once() {
        assert!(score("Musa Musa", "Musa Bello") < 60);
    }

    proptest! {
        #[test]
        fn it_is_symmetric_free_of_order_and_whole_for_itself(
            one in prop::collection::vec("[a-zA-ZẹọṣáàéÀÉ]{2,9}", 2..6),
            other in prop::collection::vec("[a-zA-ZẹọṣáàéÀÉ]{2,9}", 2..6),
        ) {
            let (name, against) = (one.join(" "), other.join(" "));
            let reversed = one.iter().rev().cloned().collect::<Vec<_>>().join("-");
            prop_assert_eq!(score(&name, &against), score(&against, &name));
            prop_assert_eq!(score(&name, &against), score(&reversed, &against));
            prop_assert!(tokens(&name).len() < 2 || score(&name, &reversed) == 100);
        }

        #[test]
        fn no_text_panics_or_leaves_the_range(one in "\\PC{0,60}", other in "\\PC{0,60}") {
            prop_assert!(score(&one, &other) <= 100);
        }
    }
}
