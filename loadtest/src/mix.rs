//! What is next? Which kind of payment, whose, and whether it is captured: each as often as its share says, in an order without a
//! rhythm that agents who take turns could fall into.

use crate::{settings::Mix, transport::Payment};

/// Decides by shares. The same seed decides the same.
#[derive(Clone, Debug)]
pub(crate) struct Dealer {
    mix: Mix,
    state: u64,
}

impl Dealer {
    pub(crate) fn new(mix: Mix, seed: u64) -> Dealer {
        Dealer { mix, state: seed }
    }

    /// Yes, in this share of all cases.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (share >= 1.0 || self.uniform() < share)
    }

    /// The next kind of payment.
    pub(crate) fn payment(&mut self) -> Payment {
        let Mix { mpp, sessions, blocked } = self.mix;
        if mpp + sessions + blocked <= 0.0 {
            return Payment::X402;
        }
        let number = self.uniform();
        if number < mpp {
            Payment::Mpp
        } else if number < mpp + sessions {
            Payment::Session
        } else if number < mpp + sessions + blocked {
            Payment::Blocked
        } else {
            Payment::X402
        }
    }

    /// A number from 0 inclusive to 1 exclusive, by splitmix64.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: usize = 100_000;

    #[test]
    fn each_kind_gets_its_share() {
        for (mpp, sessions, blocked) in [(0.0, 0.0, 0.0), (0.3, 0.05, 0.0), (0.0, 0.0, 0.9), (0.25, 0.25, 0.5)] {
            let mut dealer = Dealer::new(Mix { mpp, sessions, blocked }, 7);
            let dealt: Vec<Payment> = (0..CASES).map(|_| dealer.payment()).collect();
            let count = |kind| dealt.iter().filter(|dealt| **dealt == kind).count() as f64 / CASES as f64;
            for (kind, share) in [(Payment::Mpp, mpp), (Payment::Session, sessions), (Payment::Blocked, blocked)] {
                assert!((count(kind) - share).abs() < 0.01, "{kind:?}: {} of {share}", count(kind));
            }
        }
    }

    #[test]
    fn a_chance_is_taken_as_often_as_it_says_and_never_or_always_at_its_ends() {
        let mut dealer = Dealer::new(Mix::default(), 7);
        let mut taken = |share| (0..CASES).filter(|_| dealer.chance(share)).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, CASES));
        assert!((19_000..21_000).contains(&taken(0.2)));
    }
}
