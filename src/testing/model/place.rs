//! Where a request belongs: its names in canonical form, its session, its wallet.

use super::{
    Model,
    agent::{Agent, SessionSort},
    sum::micros,
};
use crate::kernel::{
    Amount, Duration, Failure, Name, Options, Protocol, Timestamp, request::Authorize, request::Intent,
};

/// The session of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// None.
    None,
    /// One that exists.
    Known(u32),
    /// An envelope that takes the name of the request.
    Named(u32),
    /// One that begins with the request.
    New(SessionSort),
}

impl Target {
    /// The session, where it exists.
    pub(super) fn existing(self) -> Option<u32> {
        match self {
            Target::Known(number) | Target::Named(number) => Some(number),
            Target::None | Target::New(_) => None,
        }
    }
}

/// Recipient and service in canonical form; the service is empty where there is none.
pub(super) fn payee(protocol: Protocol, recipient: &str, service: &str) -> Result<(String, String), Failure> {
    let invalid = |field| move |_| Failure::Invalid { field, expected: "a name" };
    let recipient = Name::recipient(recipient).map_err(invalid("recipient"))?.text().to_owned();
    if service.is_empty() && matches!(protocol, Protocol::Payment | Protocol::Card) {
        return Ok((recipient, String::new()));
    }
    let service = Name::service(service).map_err(invalid("service"))?.text().to_owned();
    Ok((recipient, service))
}

/// The sizes and ranges of a request for a hold.
pub(super) fn check_fields(options: &Options, request: &Authorize<'_>) -> Result<(), Failure> {
    check_amount(request.amount)?;
    check(request.resource.len() <= 2048, "resource")?;
    check(request.session.len() <= 128, "session")?;
    check(request.wallet.len() <= 128, "wallet")?;
    check(request.hold_for.is_none_or(|hold_for| is_allowed(options, hold_for)), "hold_for")?;
    if let Intent::Session { duration } = request.intent {
        check(request.protocol == Protocol::Mpp, "intent")?;
        check(duration.is_none_or(|duration| is_allowed(options, duration)), "duration")?;
    }
    let splits = request.facts.as_ref().map_or(&[][..], |facts| &facts.splits);
    check(splits.iter().all(|split| !split.amount.is_zero()), "splits")?;
    check(splits.iter().map(|split| micros(split.amount)).sum::<i128>() <= micros(request.amount), "splits")
}

pub(super) fn check_amount(amount: Amount) -> Result<(), Failure> {
    check(!amount.is_zero() && amount <= Amount::MAX, "amount")
}

pub(super) fn check(holds: bool, field: &'static str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Invalid { field, expected: "a value in range" }) }
}

pub(super) fn is_allowed(options: &Options, hold_for: Duration) -> bool {
    hold_for > Duration::ZERO && hold_for <= options.hold_max
}

impl Agent {
    /// The remembered session of this name; names of different rails are different.
    pub(super) fn session_named(&self, protocol: Protocol, name: &str) -> Option<u32> {
        let is_it = |number: &u32| {
            let session = &self.sessions[*number as usize - 1];
            !session.forgotten && session.protocol == protocol && session.name == name && !name.is_empty()
        };
        self.numbers().find(is_it)
    }

    /// The implicit x402 session that was begun last.
    pub(super) fn implicit(&self) -> Option<u32> {
        let is_it = |number: &u32| {
            let session = &self.sessions[*number as usize - 1];
            !session.forgotten && session.sort == SessionSort::Implicit
        };
        self.numbers().filter(is_it).last()
    }

    /// The implicit session that requests without a name belong to, unless it is over.
    pub(super) fn current_implicit(&self, options: &Options, now: Timestamp) -> Option<u32> {
        self.implicit().filter(|number| !self.is_idle(options, now, *number))
    }

    /// The envelopes for this payee that nobody has named, the oldest first.
    pub(super) fn unnamed_envelopes(&self, recipient: &str, service: &str) -> impl Iterator<Item = u32> {
        self.numbers().filter(move |number| {
            let session = &self.sessions[*number as usize - 1];
            let unnamed = !session.forgotten && session.is_envelope() && session.name.is_empty();
            unnamed && session.recipient == recipient && session.service == service
        })
    }

    /// Whether a session takes no more payments.
    pub(super) fn is_ended(&self, number: u32, now: Timestamp) -> bool {
        let session = &self.sessions[number as usize - 1];
        session.closed || session.ends_at().is_some_and(|end| now >= end)
    }

    /// The session of a charge.
    pub(super) fn target(
        &self,
        options: &Options,
        now: Timestamp,
        protocol: Protocol,
        name: &str,
        payee: (&str, &str),
    ) -> Target {
        match protocol {
            Protocol::Payment | Protocol::Card => Target::None,
            Protocol::X402 if name.is_empty() => {
                self.current_implicit(options, now).map_or(Target::New(SessionSort::Implicit), Target::Known)
            }
            Protocol::X402 => self.session_named(protocol, name).map_or(Target::New(SessionSort::Run), Target::Known),
            Protocol::Mpp if name.is_empty() => Target::None,
            Protocol::Mpp => {
                let known = self.session_named(protocol, name).map(Target::Known);
                let unnamed = || self.unnamed_envelopes(payee.0, payee.1).find(|number| !self.is_ended(*number, now));
                known.or_else(|| unnamed().map(Target::Named)).unwrap_or(Target::New(SessionSort::Run))
            }
        }
    }

    fn is_idle(&self, options: &Options, now: Timestamp, number: u32) -> bool {
        let session = &self.sessions[number as usize - 1];
        session.closed || now.since(session.last_at) >= options.session_idle
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        1..=self.sessions.len() as u32
    }

    /// The wallet of this name.
    pub(super) fn wallet_named(&self, name: &str) -> Option<usize> {
        let by_id = self.wallets.iter().position(|wallet| wallet.source.id == name);
        by_id.or_else(|| {
            let same = |address: &str| Name::recipient(address).ok() == Name::recipient(name).ok();
            self.wallets.iter().position(|wallet| same(&wallet.source.address))
        })
    }

    /// The wallet of a request that names none.
    pub(super) fn first_wallet(&self) -> Option<usize> {
        let preference = |index: &usize| {
            let source = &self.wallets[*index].source;
            let order = ["PRIVY", "SPONGE", "SMART_CONTRACT", "EXTERNAL"];
            let rank = order.iter().position(|custody| *custody == source.custody).unwrap_or(order.len());
            (source.frozen, rank, *index)
        };
        (0..self.wallets.len()).min_by_key(preference)
    }
}

impl Model {
    /// Whether the shard has met the name, or may.
    pub(super) fn unmet<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let mut unmet: Vec<&str> = Vec::new();
        for &name in names {
            if !name.is_empty() && !unmet.contains(&name) && !self.names.iter().any(|known| known == name) {
                unmet.push(name);
            }
        }
        unmet
    }
}
