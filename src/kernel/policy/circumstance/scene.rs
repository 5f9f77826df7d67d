//! A payment as conditions see it, and what is known of it.

use crate::kernel::{
    Amount, Fact, Facts, Name, Protocol, Timestamp,
    counterparty::{Counterparty, Standing},
};

/// A payment to one of those who get a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The rail.
    pub protocol: Protocol,
    /// The whole payment, whoever gets which part.
    pub amount: Amount,
    /// Whether it is the deposit of a session.
    pub is_deposit: bool,
    /// Whether it enlarges a payment whose facts these policies have judged already; they are not told again.
    pub is_judged: bool,
    /// Who gets the money.
    pub recipient: &'a Name<'a>,
    /// The paid service.
    pub service: Option<&'a Name<'a>>,
    /// What the request says.
    pub facts: Option<&'a Facts<'a>>,
    /// Whether the facts speak of this recipient. Of those who get a part of a payment to somebody else, a request says nothing.
    pub is_first: bool,
    /// What the directory says of the recipient; it is believed before the request.
    pub entry: Option<&'a Counterparty>,
    /// When.
    pub now: Timestamp,
}

impl<'a> Scene<'a> {
    /// A fact that is a text; `None` where it is not known.
    #[must_use]
    pub fn text(&self, fact: Fact) -> Option<&'a str> {
        let facts = self.facts;
        let entry = self.entry;
        let of_payee = |known: Option<&'a str>, told: fn(&Facts<'a>) -> &'a str| {
            known.or_else(|| facts.filter(|_| self.is_first).map(told))
        };
        let text = match fact {
            Fact::Category => of_payee(entry.and_then(Counterparty::category), |facts| facts.category),
            Fact::Country => of_payee(entry.and_then(Counterparty::country), |facts| facts.country),
            Fact::MerchantCategoryCode => {
                of_payee(entry.and_then(Counterparty::merchant_category_code), |facts| facts.merchant_category_code)
            }
            Fact::Contract => facts.map(|facts| facts.contract),
            Fact::ContractProtocol => facts.map(|facts| facts.contract_protocol),
            Fact::Method => facts.map(|facts| facts.method),
            Fact::SessionIntent => facts.map(|facts| facts.session_intent),
            Fact::Merchant => facts.map(|facts| facts.merchant),
            Fact::MerchantId => facts.map(|facts| facts.merchant_id),
            Fact::Service => self.service.map(Name::text),
            Fact::TrustScore | Fact::FairscaleScore | Fact::CounterpartyStatus | Fact::Date => None,
        };
        text.filter(|text| !text.is_empty())
    }

    /// A fact that is a score, from 0 to [`SCORE_MAX`](crate::kernel::facts::SCORE_MAX); `None` where it is not known.
    #[must_use]
    pub fn score(&self, fact: Fact) -> Option<u32> {
        let told = self.facts.filter(|_| self.is_first);
        match fact {
            Fact::TrustScore => self.entry.and_then(|entry| entry.trust_score).or_else(|| told?.trust_score),
            Fact::FairscaleScore => {
                self.entry.and_then(|entry| entry.fairscale_score).or_else(|| told?.fairscale_score)
            }
            Fact::Category
            | Fact::Country
            | Fact::CounterpartyStatus
            | Fact::Contract
            | Fact::ContractProtocol
            | Fact::Method
            | Fact::SessionIntent
            | Fact::MerchantCategoryCode
            | Fact::Merchant
            | Fact::MerchantId
            | Fact::Service
            | Fact::Date => None,
        }
    }

    /// What the recipient is to the organization; `None` where it is not known.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let told = || Standing::parse(self.facts.filter(|_| self.is_first)?.counterparty_status);
        self.entry.and_then(|entry| entry.standing).or_else(told)
    }
}
