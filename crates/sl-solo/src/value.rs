//! What a hash is worth on each chain.

use sl_chain::coins::CoinRow;
use sl_units::{CoinAmount, Target};

/// A chain of which a share may win a block, for weighing.
pub(crate) struct Stake {
    pub(crate) row: &'static CoinRow,
    pub(crate) reward: CoinAmount,
    pub(crate) target: Target,
}

/// A tip whose chain has more than this part of a share's value goes out at once.
const VALUABLE: f64 = 0.2;

/// Each chain's part of what one hash earns over all of them, 0 to 1, by the recorded prices;
/// `None` where no price is known, or nothing is worth anything.
pub(crate) fn weights(stakes: &[Stake]) -> Vec<Option<f64>> {
    let worth: Vec<Option<f64>> = stakes
        .iter()
        .map(|stake| {
            let price = stake.row.reference?.price_usd?;
            Some(stake.reward.as_coins() * price / stake.target.expected_hashes())
        })
        .collect();
    let total: f64 = worth.iter().flatten().sum();
    worth
        .into_iter()
        .map(|worth| worth.filter(|_| total > 0.0).map(|worth| worth / total))
        .collect()
}

/// Whether a chain of this weight is worth a new epoch.
pub(crate) fn is_valuable(weight: Option<f64>) -> bool {
    weight.is_some_and(|weight| weight > VALUABLE)
}

#[cfg(test)]
mod tests {
    use sl_chain::coins::by_ticker;
    use sl_units::NodeDifficulty;

    use super::*;

    fn stake(coin: &str, coins: u64, difficulty: f64) -> Stake {
        let target = NodeDifficulty::new(difficulty).expect("positive").into();
        let row = by_ticker(coin).expect("in the table");
        Stake { row, reward: CoinAmount::from_coins(coins), target }
    }

    #[test]
    fn doge_is_most_of_it_and_a_coin_without_a_price_is_dust() {
        let found = weights(&[
            stake("LTC", 6, 95_050_000.0),
            stake("DOGE", 10_000, 33_900_000.0),
            stake("TRMP", 1_000_000, 1.0),
        ]);
        let doge = found[1].expect("priced");
        assert!(doge > 0.8 && doge < 0.95, "{doge}");
        assert!((found[0].expect("priced") + doge - 1.0).abs() < 1e-9);
        assert_eq!(found[2], None);
        assert_eq!(
            found.iter().map(|weight| is_valuable(*weight)).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert_eq!(weights(&[stake("LTC", 0, 1.0)]), [None]);
    }
}
