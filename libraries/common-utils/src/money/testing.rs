//! What the property tests of this folder draw from.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{Currency, Money};

/// Every currency that a wallet can hold, found by trying all codes of three letters.
pub(super) static EVERY_CURRENCY: LazyLock<Vec<Currency>> = LazyLock::new(|| {
    let letters = || 'A'..='Z';
    letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c]))))
        .filter_map(|code| code.parse().ok())
        .collect()
});

/// Amounts of every size. Small ones and the edges come up as often as all others.
pub(super) fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -1_000..=1_000_i64, i64::MIN..=i64::MIN + 3, i64::MAX - 3..=i64::MAX]
}

pub(super) fn naira() -> impl Strategy<Value = Money> {
    amounts().prop_map(|amount| Money::new(amount, Currency::NGN))
}
