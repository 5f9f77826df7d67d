//! What a human must decide about, put together from the policies that ask, and on which terms.

use crate::kernel::{
    outcome::Violation,
    policy::{ApprovalTerms, Asking},
};

/// What was asked so far.
#[derive(Default)]
pub(super) struct Question<'p> {
    about: Vec<Violation>,
    /// Of the highest priority that says any, with its rank.
    terms: Option<(usize, &'p ApprovalTerms)>,
    /// The most that any policy wants.
    required: u16,
}

impl<'p> Question<'p> {
    /// Adds what breaks `asking`, if anything does.
    pub(super) fn add(&mut self, asking: &'p Asking, broken: impl Iterator<Item = Violation>) {
        let mut asks = false;
        for violation in broken {
            asks = true;
            if !asking.repeats {
                self.about.push(violation);
            }
        }
        if let (true, Some(terms)) = (asks, &asking.terms) {
            self.required = self.required.max(terms.required);
            if self.terms.is_none_or(|(rank, _)| asking.rank < rank) {
                self.terms = Some((asking.rank, terms));
            }
        }
    }

    /// What is asked and on which terms: those of the highest priority that says any, with as many approvals as anybody wants.
    pub(super) fn finish(self) -> (Vec<Violation>, Option<Box<ApprovalTerms>>) {
        if self.about.is_empty() {
            return (self.about, None);
        }
        let terms = self.terms.map(|(_, terms)| terms.clone()).unwrap_or_default();
        (self.about, Some(Box::new(ApprovalTerms { required: self.required.max(1), ..terms })))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernel::{
        Amount, Duration, KeyId,
        outcome::{Measure, ViolationKind},
        policy::Rule,
    };

    fn asking(cap: u32, rank: usize, terms: Option<(u16, u64)>) -> Asking {
        let terms = terms.map(|(required, key)| ApprovalTerms {
            required,
            approvers: vec![KeyId(key)],
            timeout: Some(Duration::from_secs(key)),
        });
        let rule = Rule::ApprovalAbove { cap: Amount::from_units(cap) };
        Asking { rule, rank, terms: terms.map(Arc::new), repeats: false }
    }

    fn broken(asking: &Asking) -> Violation {
        let limit = asking.rule.cumulative_cap().map_or(Measure::None, Measure::Money);
        Violation { kind: ViolationKind::Rule(asking.rule.kind()), limit, current: Measure::None }
    }

    /// Asks all of which the flag is set, and says who decides: how many, and which key.
    fn ask(all: &[(Asking, bool)]) -> Option<(u16, Option<KeyId>)> {
        let mut question = Question::default();
        for (asking, breaks) in all {
            question.add(asking, breaks.then(|| broken(asking)).into_iter());
        }
        let (about, terms) = question.finish();
        assert_eq!(about.is_empty(), terms.is_none());
        terms.map(|terms| (terms.required, terms.approvers.first().copied()))
    }

    #[test]
    fn the_highest_priority_names_the_approvers_and_the_strictest_their_number() {
        assert_eq!(ask(&[]), None);
        assert_eq!(ask(&[(asking(1, 0, Some((3, 7))), false)]), None);
        assert_eq!(ask(&[(asking(1, 0, None), true)]), Some((1, None)));
        let both = |first, second| {
            ask(&[
                (asking(1, 1, Some((3, 11))), first),
                (asking(2, 0, Some((2, 10))), second),
                (asking(3, 2, None), true),
            ])
        };
        assert_eq!(both(true, true), Some((3, Some(KeyId(10)))));
        assert_eq!(both(true, false), Some((3, Some(KeyId(11)))));
        assert_eq!(both(false, true), Some((2, Some(KeyId(10)))));
        assert_eq!(both(false, false), Some((1, None)));
    }

    #[test]
    fn what_two_policies_ask_alike_is_told_once_on_the_terms_of_both() {
        let first = asking(1, 0, Some((1, 5)));
        let second = Asking { repeats: true, ..asking(1, 1, Some((2, 6))) };
        let mut question = Question::default();
        question.add(&first, [broken(&first)].into_iter());
        question.add(&second, [broken(&second)].into_iter());
        let (about, terms) = question.finish();
        assert_eq!(about.len(), 1);
        assert_eq!(terms.map(|terms| (terms.required, terms.approvers)), Some((2, vec![KeyId(5)])));
    }
}
