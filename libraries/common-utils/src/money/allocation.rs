//! Splits a whole into parts by weights, to the last minor unit.

use std::cmp::Reverse;

use super::{Money, MoneyError};

/// A part while it is reckoned.
struct Share {
    /// Minor units, the exact share cut towards zero.
    units: i128,
    /// What was cut off, in fractions of a unit over the sum of the weights.
    cut: i128,
}

impl Money {
    /// Splits this into one part for each weight, in the order of the weights. The parts sum to the whole.
    ///
    /// The remainder goes by the largest remainder method: each part gets its exact share cut towards zero to whole
    /// minor units; each unit that is then left goes to the part from which most was cut, one a part. Of parts from
    /// which the same was cut, the earlier gets it. So a part is less than one unit away from its exact share, a
    /// weight of zero gets nothing, and equal weights get parts that differ by one unit at most. A negative whole is
    /// split as the positive one, with the sign turned.
    ///
    /// Weights are whole numbers of any size: `[1, 1, 1]` for three even parts, or the amounts of what is shared in.
    /// None at all are an error, and so is a sum of zero.
    pub fn allocate(self, weights: &[u64]) -> Result<Vec<Self>, MoneyError> {
        if weights.is_empty() {
            return Err(MoneyError::NoWeights);
        }
        let total: i128 = weights.iter().copied().map(i128::from).sum();
        if total == 0 {
            return Err(MoneyError::ZeroWeights);
        }
        let amount = i128::from(self.amount);
        let share = |weight: &u64| {
            // At most 2^63 times 2^64 − 1, so it fits into 128 bits.
            let product = amount * i128::from(*weight);
            Share { units: product / total, cut: product % total }
        };
        let mut shares: Vec<Share> = weights.iter().map(share).collect();
        hand_out(amount, &mut shares);
        let part = |share: Share| {
            let units = i64::try_from(share.units).map_err(|_| MoneyError::Overflow)?;
            Ok(Self::new(units, self.currency))
        };
        shares.into_iter().map(part).collect()
    }
}

/// Gives the units that the cutting left over. They are fewer than the shares from which something was cut.
fn hand_out(amount: i128, shares: &mut [Share]) {
    let mut left = amount - shares.iter().map(|share| share.units).sum::<i128>();
    let unit = amount.signum();
    let mut by_cut: Vec<&mut Share> = shares.iter_mut().collect();
    // The sort is stable: of equal cuts, the earlier share stays first.
    by_cut.sort_by_key(|share| Reverse(share.cut.abs()));
    for share in by_cut {
        if left == 0 {
            break;
        }
        share.units += unit;
        left -= unit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::{
        Currency,
        testing::{amounts, naira},
    };

    fn split(amount: i64, weights: &[u64]) -> Vec<i64> {
        let parts = Money::new(amount, Currency::NGN).allocate(weights).unwrap();
        assert!(parts.iter().all(|part| part.currency == Currency::NGN));
        parts.into_iter().map(|part| part.amount).collect()
    }

    #[test]
    fn what_is_left_goes_where_most_was_cut_and_then_to_the_earlier() {
        assert_eq!(split(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(split(101, &[1, 1, 1]), [34, 34, 33]);
        assert_eq!(split(-100, &[1, 1, 1]), [-34, -33, -33]);
        // Exact: 1.4, 2.8, 2.8.
        assert_eq!(split(7, &[1, 2, 2]), [1, 3, 3]);
        // Exact: 0.5, 0.75, 3.75.
        assert_eq!(split(5, &[2, 3, 15]), [0, 1, 4]);
        assert_eq!(split(1, &[0, 1, 0, 1]), [0, 1, 0, 0]);
        assert_eq!(split(0, &[3, 0, 4]), [0, 0, 0]);
        assert_eq!(split(-7, &[9]), [-7]);
    }

    #[test]
    fn the_largest_numbers_are_split_too() {
        assert_eq!(split(i64::MIN, &[u64::MAX]), [i64::MIN]);
        assert_eq!(split(i64::MIN, &[u64::MAX; 2]), [i64::MIN / 2; 2]);
        assert_eq!(split(i64::MAX, &[u64::MAX, u64::MAX]), [i64::MAX / 2 + 1, i64::MAX / 2]);
        assert_eq!(split(i64::MAX, &[0, u64::MAX, 0]), [0, i64::MAX, 0]);
    }

    #[test]
    fn without_weight_there_is_nothing_to_split_by() {
        for amount in [0, 1, i64::MIN] {
            let money = Money::new(amount, Currency::NGN);
            assert_eq!(money.allocate(&[]), Err(MoneyError::NoWeights));
            assert_eq!(money.allocate(&[0, 0]), Err(MoneyError::ZeroWeights));
        }
    }

    fn weight() -> impl Strategy<Value = u64> {
        prop_oneof![0..=5_u64, 0..=10_000_u64, any::<u64>(), Just(u64::MAX)]
    }

    fn weights() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(weight(), 1..24).prop_filter("no weight", |all| all.iter().any(|one| *one > 0))
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_whole(whole in naira(), weights in weights()) {
            let parts = whole.allocate(&weights).unwrap();
            prop_assert_eq!(parts.len(), weights.len());
            prop_assert_eq!(Money::checked_sum(whole.currency, parts), Ok(whole));
        }

        #[test]
        fn a_part_is_less_than_one_unit_away_from_its_exact_share(amount in amounts(), weights in weights()) {
            let total: i128 = weights.iter().copied().map(i128::from).sum();
            for (part, weight) in split(amount, &weights).into_iter().zip(&weights) {
                let exact = i128::from(amount) * i128::from(*weight);
                let (part, floor) = (i128::from(part), exact.div_euclid(total));
                let whole = exact.rem_euclid(total) == 0;
                prop_assert!(part == floor || (part == floor + 1 && !whole), "{part} for {exact}/{total}");
            }
        }

        #[test]
        fn a_unit_is_given_before_another_only_for_more_cut_off_or_the_same_and_earlier(
            amount in amounts(), weights in weights(),
        ) {
            let total: i128 = weights.iter().copied().map(i128::from).sum();
            let parts = split(amount, &weights);
            let (mut given, mut kept) = (vec![], vec![]);
            for (place, (part, weight)) in parts.into_iter().zip(&weights).enumerate() {
                let exact = i128::from(amount) * i128::from(*weight);
                let rank = (Reverse((exact % total).abs()), place);
                if i128::from(part) == exact / total { kept.push(rank) } else { given.push(rank) }
            }
            if let (Some(last_given), Some(first_kept)) = (given.iter().max(), kept.iter().min()) {
                prop_assert!(last_given < first_kept, "{last_given:?} {first_kept:?}");
            }
        }

        #[test]
        fn equal_weights_get_parts_that_differ_by_one_at_most(
            amount in amounts(), weight in 1..=u64::MAX, parts in 1..40_usize,
        ) {
            let parts = split(amount, &vec![weight; parts]);
            let sizes: Vec<u64> = parts.iter().map(|part| part.unsigned_abs()).collect();
            prop_assert!(sizes.is_sorted_by(|earlier, later| earlier >= later), "{sizes:?}");
            prop_assert!(sizes[0] - sizes[sizes.len() - 1] <= 1, "{sizes:?}");
        }

        #[test]
        fn a_larger_weight_never_gets_less(amount in amounts(), weights in weights()) {
            let parts = split(amount, &weights);
            let mut sizes: Vec<_> = weights.iter().zip(&parts).map(|(w, part)| (*w, part.unsigned_abs())).collect();
            sizes.sort_unstable();
            for pair in sizes.windows(2) {
                prop_assert!(pair[0].0 == pair[1].0 || pair[0].1 <= pair[1].1, "{pair:?}");
            }
        }

        #[test]
        fn a_negative_whole_is_split_as_the_positive_one(amount in 0..=i64::MAX, weights in weights()) {
            let turned: Vec<i64> = split(-amount, &weights).into_iter().map(|part| -part).collect();
            prop_assert_eq!(split(amount, &weights), turned);
        }
    }
}
