//! The cases: rules, what is asked under them, and what everybody must be told.

use holdfast::kernel::Protocol;

use Step::{Ask, Look, Tell};

/// A payment as it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Payment {
    pub(super) protocol: Protocol,
    pub(super) amount: &'static str,
    pub(super) recipient: &'static str,
    pub(super) service: &'static str,
    pub(super) session: &'static str,
    pub(super) opens_session: bool,
    pub(super) known: Known,
}

/// What is known of a payment; empty texts for what is not.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) category: &'static str,
    pub(super) country: &'static str,
    /// Of 100.
    pub(super) trust_score: &'static str,
    pub(super) counterparty_status: &'static str,
    pub(super) contract: &'static str,
    pub(super) method: &'static str,
    pub(super) session_intent: &'static str,
    pub(super) merchant_category_code: &'static str,
    /// Who is paid, where it is paid by card.
    pub(super) merchant: &'static str,
    /// Who else gets a hundredth.
    pub(super) other: &'static str,
}

/// A report of a payment.
#[derive(Clone, Copy)]
pub(super) struct Report {
    pub(super) protocol: Protocol,
    pub(super) amount: &'static str,
    pub(super) recipient: &'static str,
    pub(super) service: &'static str,
    /// The place of the question that it was approved by, among all of the case.
    pub(super) hold: Option<usize>,
    pub(super) payment_id: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Ask(Payment),
    Tell(Report),
    /// Looks at the hold of that place.
    Look(usize),
}

/// Rules of the agent, and steps with what each is told.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) rules: &'static [(&'static str, &'static str, &'static str)],
    pub(super) steps: &'static [(Step, &'static str)],
}

const SMALL: Payment = Payment {
    protocol: Protocol::X402,
    amount: "0.05",
    recipient: "0xA",
    service: "api.example.com",
    session: "",
    opens_session: false,
    known: NOTHING,
};
const NOTHING: Known = Known {
    category: "",
    country: "",
    trust_score: "",
    counterparty_status: "",
    contract: "",
    method: "",
    session_intent: "",
    merchant_category_code: "",
    merchant: "",
    other: "",
};
const GOOD: Known = Known { country: "DE", trust_score: "70", counterparty_status: "VERIFIED", ..NOTHING };
const BOUGHT: Known = Known { category: "API_PROVIDER", contract: "0xc0FFEE", ..NOTHING };
const PAID: Report = Report {
    protocol: Protocol::X402,
    amount: "0.04",
    recipient: "0xA",
    service: "api.example.com",
    hold: None,
    payment_id: "",
};

const fn cost(amount: &'static str) -> Step {
    Ask(Payment { amount, ..SMALL })
}

/// A payment of which this is known.
const fn of(known: Known) -> Step {
    Ask(Payment { known, ..SMALL })
}

const fn over_mpp(opens_session: bool, known: Known) -> Step {
    Ask(Payment { protocol: Protocol::Mpp, opens_session, known, ..SMALL })
}

const fn by_card(amount: &'static str, merchant: &'static str, merchant_category_code: &'static str) -> Step {
    let known = Known { merchant, merchant_category_code, ..NOTHING };
    Ask(Payment { protocol: Protocol::Card, amount, service: "", known, ..SMALL })
}

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a payment is held, captured, and known",
        rules: &[("DAILY_LIMIT", "LTE", "2")],
        steps: &[
            (cost("0.05"), "approved, 1.95 left"),
            (Look(0), "OPEN, 0.00 of 0.05"),
            (Tell(Report { hold: Some(0), payment_id: "p1", ..PAID }), "matched, overage 0.00"),
            (Tell(Report { hold: Some(0), payment_id: "p1", ..PAID }), "duplicate, overage 0.00"),
            (Look(0), "CAPTURED, 0.04 of 0.05"),
            (cost("1.96"), "approved, 0.00 left"),
            (cost("0.000001"), "denied: DAILY_LIMIT 2.00/2.000001"),
        ],
    },
    Case {
        name: "a cap is reached to the millionth, and not passed",
        rules: &[("MAX_AMOUNT", "LTE", "0.5"), ("X402_PRICE_CEILING", "LTE", "0.25")],
        steps: &[
            (cost("0.25"), "approved, 999.75 left"),
            (cost("0.250001"), "denied: X402_PRICE_CEILING 0.25/0.250001"),
            (cost("0.500001"), "denied: PER_TX_LIMIT 0.50/0.500001, X402_PRICE_CEILING 0.25/0.500001"),
            (Ask(Payment { protocol: Protocol::Mpp, amount: "0.5", ..SMALL }), "approved, 999.25 left"),
        ],
    },
    Case {
        name: "lists of services and payees",
        rules: &[
            ("X402_BLOCKED_SERVICES", "IN_LIST", "[\"bad.example\"]"),
            ("BLOCKED_COUNTERPARTIES", "IN_LIST", "[\"0xEvil\"]"),
        ],
        steps: &[
            (cost("1"), "approved, 999.00 left"),
            (Ask(Payment { service: "bad.example", ..SMALL }), "denied: X402_SERVICE_BLOCKED -/-"),
            (Ask(Payment { recipient: "0xEvil", ..SMALL }), "denied: BLOCKED_COUNTERPARTY -/-"),
        ],
    },
    Case {
        name: "a session spends its deposit",
        rules: &[("MPP_SESSION_BUDGET", "LTE", "3")],
        steps: &[
            (
                Ask(Payment { protocol: Protocol::Mpp, amount: "3.01", session: "s", opens_session: true, ..SMALL }),
                "denied: MPP_SESSION_BUDGET 3.00/3.01",
            ),
            (
                Ask(Payment { protocol: Protocol::Mpp, amount: "2", session: "s", opens_session: true, ..SMALL }),
                "approved, 1.00 left",
            ),
        ],
    },
    Case {
        name: "what people must approve waits and holds its money",
        rules: &[("REQUIRE_APPROVAL_ABOVE", "GT", "0.5")],
        steps: &[
            (cost("0.5"), "approved, 999.50 left"),
            (cost("0.500001"), "waits: REQUIRE_APPROVAL_ABOVE"),
            (cost("0.1"), "approved, 998.899999 left"),
        ],
    },
    Case {
        name: "how often",
        rules: &[("VELOCITY_LIMIT", "LTE", "{\"maxCount\":2,\"period\":\"DAY\"}")],
        steps: &[
            (cost("1"), "approved, 999.00 left"),
            (cost("1"), "approved, 998.00 left"),
            (cost("1"), "denied: VELOCITY_LIMIT 2.00/3.00"),
        ],
    },
    Case {
        name: "what was paid without being asked for is booked",
        rules: &[("DAILY_LIMIT", "LTE", "1")],
        steps: &[
            (Tell(Report { amount: "0.75", payment_id: "q", ..PAID }), "unauthorized, overage 0.75"),
            (cost("0.5"), "denied: DAILY_LIMIT 1.00/1.25"),
            (cost("0.25"), "approved, 0.00 left"),
        ],
    },
    Case {
        name: "what is known of the payee",
        rules: &[
            ("GEOGRAPHIC_RESTRICTION", "IN_LIST", "[\"DE\",\"FR\"]"),
            ("TRUST_SCORE", "GTE", "0.7"),
            ("COUNTERPARTY_STATUS", "IN_LIST", "[\"TRUSTED\",\"VERIFIED\"]"),
        ],
        steps: &[
            (of(GOOD), "approved, 999.95 left"),
            (of(Known { country: "US", ..GOOD }), "denied: GEOGRAPHIC_RESTRICTION -/-"),
            (of(Known { trust_score: "69.99", ..GOOD }), "denied: TRUST_SCORE 70.00/69.99"),
            (of(Known { counterparty_status: "UNKNOWN", ..GOOD }), "denied: COUNTERPARTY_STATUS -/-"),
            (of(NOTHING), "denied: GEOGRAPHIC_RESTRICTION -/-, TRUST_SCORE -/-, COUNTERPARTY_STATUS -/-"),
            // Of somebody else who gets a part, nothing is known.
            (
                of(Known { other: "0xB", ..GOOD }),
                "denied: GEOGRAPHIC_RESTRICTION -/-, TRUST_SCORE -/-, COUNTERPARTY_STATUS -/-",
            ),
            (of(Known { country: "Germany", ..GOOD }), "refused: VALIDATION_ERROR"),
            (of(Known { counterparty_status: "FRIEND", ..GOOD }), "refused: VALIDATION_ERROR"),
        ],
    },
    Case {
        name: "what is bought, and how",
        rules: &[
            ("ALLOWED_CATEGORIES", "IN_LIST", "[\"API_PROVIDER\"]"),
            ("CONTRACT_ALLOWLIST", "IN_LIST", "[\"0xC0ffee\"]"),
            ("MPP_ALLOWED_METHODS", "IN_LIST", "[\"GET\"]"),
            ("MPP_BLOCK_SESSION_INTENT", "IN_LIST", "[\"streaming\"]"),
        ],
        steps: &[
            (of(BOUGHT), "approved, 999.95 left"),
            (of(Known { category: "GAMBLING", ..BOUGHT }), "denied: CATEGORY_RESTRICTION -/-"),
            (of(Known { contract: "0xdead", ..BOUGHT }), "denied: CONTRACT_NOT_ALLOWED -/-"),
            (over_mpp(false, Known { method: "GET", ..BOUGHT }), "approved, 999.90 left"),
            (over_mpp(false, Known { method: "POST", ..BOUGHT }), "denied: MPP_METHOD_NOT_ALLOWED -/-"),
            (
                over_mpp(true, Known { method: "GET", session_intent: "streaming", ..BOUGHT }),
                "denied: MPP_SESSION_INTENT_BLOCKED -/-",
            ),
            (over_mpp(true, Known { method: "GET", session_intent: "batch", ..BOUGHT }), "approved, 999.85 left"),
        ],
    },
    Case {
        name: "cards",
        rules: &[
            ("CARD_MAX_AMOUNT", "LTE", "50"),
            ("CARD_ALLOWED_MCCS", "IN_LIST", "[\"5411\",\"5812\"]"),
            ("CARD_BLOCKED_MERCHANTS", "IN_LIST", "[\"Casino.com\"]"),
        ],
        steps: &[
            (by_card("50", "Amazon", "5411"), "approved, 950.00 left"),
            (by_card("50.000001", "Amazon", "5411"), "denied: CARD_AMOUNT_LIMIT 50.00/50.000001"),
            (by_card("1", "Amazon", "7995"), "denied: CARD_MCC_RESTRICTION -/-"),
            (by_card("1", "Amazon", ""), "denied: CARD_MCC_RESTRICTION -/-"),
            (by_card("1", "casino.COM", "5812"), "denied: CARD_MERCHANT_RESTRICTION -/-"),
            (cost("51"), "approved, 899.00 left"),
        ],
    },
    Case {
        name: "while the clock says so",
        rules: &[
            ("TIME_WINDOW", "BETWEEN", "{\"start\":\"00:00\",\"end\":\"24:00\",\"timezone\":\"Europe/Berlin\"}"),
            ("DATE_RANGE", "BETWEEN", "{\"start\":\"2020-01-01\",\"end\":\"2999-12-31\"}"),
        ],
        steps: &[(cost("1"), "approved, 999.00 left")],
    },
    Case {
        name: "after the clock said so",
        rules: &[
            ("EXPIRATION", "LTE", "2020-12-31"),
            ("BLACKOUT_PERIOD", "BETWEEN", "{\"start\":\"00:00\",\"end\":\"24:00\"}"),
        ],
        steps: &[(cost("1"), "denied: BLACKOUT_PERIOD -/-, EXPIRED_PERMISSION -/-")],
    },
    Case {
        name: "several things at once",
        rules: &[(
            "COMPOSITE",
            "AND",
            "[{\"field\":\"amount\",\"operator\":\"GT\",\"value\":\"0.05\"},{\"field\":\"country\",\"operator\":\"NEQ\",\"value\":\"DE\"}]",
        )],
        steps: &[
            (cost("0.05"), "approved, 999.95 left"),
            (cost("0.050001"), "denied: COMPOSITE -/-"),
            (
                Ask(Payment { amount: "0.050001", known: Known { country: "US", ..NOTHING }, ..SMALL }),
                "denied: COMPOSITE -/-",
            ),
            (
                Ask(Payment { amount: "0.05", known: Known { country: "de", ..NOTHING }, ..SMALL }),
                "approved, 999.90 left",
            ),
        ],
    },
    Case {
        name: "what is no payment is refused",
        rules: &[],
        steps: &[
            (cost("0"), "refused: INVALID_AMOUNT"),
            (Ask(Payment { recipient: "", ..SMALL }), "refused: VALIDATION_ERROR"),
            (Ask(Payment { service: "bücher.example", ..SMALL }), "refused: VALIDATION_ERROR"),
            (Ask(Payment { service: "xn--bcher-kva.example", ..SMALL }), "approved, 999.95 left"),
            (Tell(Report { amount: "0", ..PAID }), "refused: INVALID_AMOUNT"),
            (Look(0), "refused: NOT_FOUND"),
        ],
    },
];
