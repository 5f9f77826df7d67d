//! Wallets as operators link them to agents.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    Amount,
    outcome::WalletView,
    request::{AgentStatus, WalletSource},
};

use super::{Money, Object, Refusal};

const DAY_WORDS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY: u8 = 0;

/// What a body says about a wallet; what is absent stays as it is, or gets its default in a new wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletPatch {
    /// Which wallet.
    pub id: Option<String>,
    address: Option<String>,
    chain_id: Option<String>,
    custody: Option<String>,
    frozen: Option<bool>,
    /// What it holds as of now.
    pub balance: Option<Amount>,
    limit_per_payment: Option<Amount>,
    limit_per_day: Option<Amount>,
    limit_per_week: Option<Amount>,
    limit_per_month: Option<Amount>,
    hours_start: Option<u8>,
    hours_end: Option<u8>,
    days: Option<u8>,
}

/// What is said about a wallet; what is not named stays as it is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"walletId": "wal_123", "address": "0xAgentWallet", "chainId": "8453", "balance": 500, "spendLimitPerTx": 10, "spendLimitDaily": 100, "allowedDays": ["Mon", "Tue", "Wed", "Thu", "Fri"]}))]
#[expect(dead_code, reason = "describes what `WalletPatch::read` accepts")]
pub struct WalletRequest {
    /// Which wallet. One is made up where a new wallet has no id.
    wallet_id: Option<String>,
    /// The same as `walletId`.
    id: Option<String>,
    /// Where it is on its chain.
    address: Option<String>,
    /// The chain, such as `8453`; a number is taken as its text.
    chain_id: Option<String>,
    /// Who keeps its keys: `PRIVY`, `SPONGE`, `SMART_CONTRACT` or `EXTERNAL`.
    custody_type: Option<String>,
    /// A wallet that is not `ACTIVE` pays nothing.
    #[schema(pattern = "^(ACTIVE|FROZEN|ARCHIVED)$", example = "ACTIVE")]
    status: Option<String>,
    /// What it holds as of now.
    balance: Option<Amount>,
    /// The most that one payment may cost; zero blocks everything.
    spend_limit_per_tx: Option<Amount>,
    /// The most in a calendar day.
    spend_limit_daily: Option<Amount>,
    /// The most in a calendar week.
    spend_limit_weekly: Option<Amount>,
    /// The most in a calendar month.
    spend_limit_monthly: Option<Amount>,
    /// The hour at which payments may begin.
    #[schema(minimum = 0, maximum = 24)]
    allowed_hours_start: Option<u8>,
    /// The hour at which payments end.
    #[schema(minimum = 0, maximum = 24)]
    allowed_hours_end: Option<u8>,
    /// The days on which payments may happen, such as `Mon`.
    #[schema(min_items = 1)]
    allowed_days: Option<Vec<String>>,
}

impl WalletPatch {
    /// Reads a link of a wallet to an agent.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<WalletPatch, Refusal> {
        Ok(WalletPatch {
            id: object.text_of(&["walletId", "id"])?,
            address: object.text("address")?,
            chain_id: chain_id(object)?,
            custody: object.text("custodyType")?,
            frozen: frozen(object)?,
            balance: object.amount("balance")?,
            limit_per_payment: object.amount("spendLimitPerTx")?,
            limit_per_day: object.amount("spendLimitDaily")?,
            limit_per_week: object.amount("spendLimitWeekly")?,
            limit_per_month: object.amount("spendLimitMonthly")?,
            hours_start: hour(object, "allowedHoursStart")?,
            hours_end: hour(object, "allowedHoursEnd")?,
            days: days(object)?,
        })
    }

    /// A wallet that has what the patch says.
    #[must_use]
    pub fn create(self, id: String) -> WalletSource {
        let blank = WalletSource {
            id,
            address: String::new(),
            chain_id: String::new(),
            custody: "EXTERNAL".to_owned(),
            frozen: false,
            balance: None,
            limit_per_payment: None,
            limit_per_day: None,
            limit_per_week: None,
            limit_per_month: None,
            allowed_hours: None,
            allowed_days: EVERY_DAY,
        };
        self.apply(blank)
    }

    /// `wallet` with what the patch says.
    #[must_use]
    pub fn apply(self, wallet: WalletSource) -> WalletSource {
        let hours = (self.hours_start, self.hours_end);
        let (start, end) = wallet.allowed_hours.unwrap_or((0, 24));
        WalletSource {
            id: wallet.id,
            address: self.address.unwrap_or(wallet.address),
            chain_id: self.chain_id.unwrap_or(wallet.chain_id),
            custody: self.custody.unwrap_or(wallet.custody),
            frozen: self.frozen.unwrap_or(wallet.frozen),
            balance: self.balance.or(wallet.balance),
            limit_per_payment: self.limit_per_payment.or(wallet.limit_per_payment),
            limit_per_day: self.limit_per_day.or(wallet.limit_per_day),
            limit_per_week: self.limit_per_week.or(wallet.limit_per_week),
            limit_per_month: self.limit_per_month.or(wallet.limit_per_month),
            allowed_hours: match hours {
                (None, None) => wallet.allowed_hours,
                (from, to) => Some((from.unwrap_or(start), to.unwrap_or(end))),
            },
            allowed_days: self.days.unwrap_or(wallet.allowed_days),
        }
    }
}

/// A chain is named by a text; a number is taken as its text.
fn chain_id(object: &Object<'_>) -> Result<Option<String>, Refusal> {
    match object.raw("chainId") {
        Some(raw) if !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(raw.to_owned())),
        Some(_) | None => object.text("chainId"),
    }
}

fn frozen(object: &Object<'_>) -> Result<Option<bool>, Refusal> {
    match object.text("status")?.as_deref() {
        None => Ok(None),
        Some("ACTIVE") => Ok(Some(false)),
        Some("FROZEN" | "ARCHIVED") => Ok(Some(true)),
        Some(_) => Err(Refusal::invalid(object.place("status"), "is not known", "`ACTIVE` or `FROZEN`")),
    }
}

fn hour(object: &Object<'_>, name: &str) -> Result<Option<u8>, Refusal> {
    let expected = "an hour of the day, 0 to 24";
    let Some(hour) = object.whole(name, expected)? else { return Ok(None) };
    let hour = u8::try_from(hour).ok().filter(|hour| *hour <= 24);
    hour.map(Some).ok_or_else(|| Refusal::invalid(object.place(name), "is no hour", expected))
}

fn days(object: &Object<'_>) -> Result<Option<u8>, Refusal> {
    let Some(words) = object.texts("allowedDays")? else { return Ok(None) };
    let expected = "a list of `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat` and `Sun`, not empty";
    let invalid = || Refusal::invalid(object.place("allowedDays"), "names no day, or something else", expected);
    let mut days = 0;
    for word in &words {
        days |= 1 << DAY_WORDS.iter().position(|day| day == word).ok_or_else(invalid)?;
    }
    // An empty list would read as "every day" below and as "no day" to a person.
    if days == 0 { Err(invalid()) } else { Ok(Some(days)) }
}

/// A wallet, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletBody {
    wallet_id: String,
    address: String,
    chain_id: String,
    custody_type: String,
    delegation_type: &'static str,
    status: &'static str,
    balance: Option<Money>,
    available_balance: Option<Money>,
    spend_limit_per_tx: Option<Money>,
    spend_limit_daily: Option<Money>,
    spend_limit_weekly: Option<Money>,
    spend_limit_monthly: Option<Money>,
    spent_today: Money,
    spent_this_week: Money,
    spent_this_month: Money,
    allowed_hours_start: Option<u8>,
    allowed_hours_end: Option<u8>,
    allowed_days: Vec<&'static str>,
}

impl WalletBody {
    /// What `view` shows of a wallet of an agent in this status: those of an agent that is frozen are frozen with it.
    #[must_use]
    pub fn of(view: &WalletView, agent: AgentStatus) -> WalletBody {
        let (source, [day, week, month]) = (&view.source, view.used);
        let allowed = |index: &usize| source.allowed_days == EVERY_DAY || source.allowed_days & (1 << index) != 0;
        WalletBody {
            wallet_id: source.id.clone(),
            address: source.address.clone(),
            chain_id: source.chain_id.clone(),
            custody_type: source.custody.clone(),
            delegation_type: "LIMITED",
            status: if source.frozen || agent == AgentStatus::Suspended { "FROZEN" } else { "ACTIVE" },
            balance: source.balance.map(Money),
            available_balance: view.available.map(Money),
            spend_limit_per_tx: source.limit_per_payment.map(Money),
            spend_limit_daily: source.limit_per_day.map(Money),
            spend_limit_weekly: source.limit_per_week.map(Money),
            spend_limit_monthly: source.limit_per_month.map(Money),
            spent_today: Money(day),
            spent_this_week: Money(week),
            spent_this_month: Money(month),
            allowed_hours_start: source.allowed_hours.map(|(start, _)| start),
            allowed_hours_end: source.allowed_hours.map(|(_, end)| end),
            allowed_days: DAY_WORDS
                .iter()
                .enumerate()
                .filter(|(index, _)| allowed(index))
                .map(|(_, day)| *day)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<WalletPatch, Refusal> {
        WalletPatch::read(&Object::read(body.as_bytes())?)
    }

    #[test]
    fn a_link_in_full_is_read() {
        let patch = read(
            r#"{"walletId":"wal_123","address":"0xAgentWallet","chainId":8453,"custodyType":"PRIVY","delegationType":"LIMITED",
                "spendLimitPerTx":1,"spendLimitDaily":"10","spendLimitWeekly":50,"spendLimitMonthly":100,"allowedHoursStart":9,
                "allowedHoursEnd":17,"allowedDays":["Mon","Fri"],"balance":500.00,"status":"ACTIVE"}"#,
        );
        let wallet = patch.unwrap().create("wal_123".to_owned());
        assert_eq!((wallet.chain_id.as_str(), wallet.custody.as_str(), wallet.frozen), ("8453", "PRIVY", false));
        assert_eq!(wallet.limit_per_day, Some(Amount::from_units(10)));
        assert_eq!((wallet.allowed_hours, wallet.allowed_days), (Some((9, 17)), 0b001_0001));
        let changed = read(r#"{"status":"FROZEN","allowedHoursEnd":20}"#).unwrap().apply(wallet.clone());
        assert_eq!(changed, WalletSource { frozen: true, allowed_hours: Some((9, 20)), ..wallet });
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        for (body, field) in [
            (r#"{"spendLimitDaily":-1}"#, "spendLimitDaily"),
            (r#"{"allowedHoursStart":25}"#, "allowedHoursStart"),
            (r#"{"allowedHoursEnd":"9"}"#, "allowedHoursEnd"),
            (r#"{"allowedDays":[]}"#, "allowedDays"),
            (r#"{"allowedDays":["Monday"]}"#, "allowedDays"),
            (r#"{"status":"SLEEPING"}"#, "status"),
            (r#"{"chainId":{}}"#, "chainId"),
            (r#"{"walletId":"a","id":"b"}"#, "id"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }
}
