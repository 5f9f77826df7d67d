//! What clients send that nobody expects.

/// A text of a body that stands for raw JSON.
pub(crate) const RAW: &str = "@raw:";

/// JSON values as they are written, most of them none.
pub(crate) const VALUES: [&str; 34] = [
    "-1",
    "0",
    "-0",
    "1e400",
    "-1e400",
    "1e-400",
    "1E3",
    "0.0000001",
    "0.05000000",
    "123456789012345678901234567890",
    "18446744073709551616",
    "18446744073709551615",
    "9223372036854775807",
    "1000000000000.000001",
    "1.7976931348623157e308",
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "1.",
    "0x10",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[1,2]",
    "{\"a\":1}",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"-1\"",
    "\"1e5\"",
];

/// Texts.
pub(crate) const TEXTS: [&str; 16] = [
    "",
    " ",
    "\u{0}",
    "\n",
    "💸💸💸",
    "\u{202e}gnp.exe",
    "ﷺ",
    "İ",
    "ß",
    "e\u{301}",
    "'; DROP TABLE agents; --",
    "../../etc/passwd",
    "%00",
    "null",
    "https://user:pass@evil.example:99999/",
    "http://[::1]:8402/api",
];

/// Whole bodies.
pub(crate) const BODIES: [&[u8]; 14] = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"\"x\"",
    b"1",
    b"{",
    b"{\"a\"}",
    b"{\"a\":1,\"a\":2}",
    b"{\"amount\":1} x",
    b"\xff\xfe",
    b"{\"\xff\":1}",
    b"\xef\xbb\xbf{}",
    b"{\"amount\":NaN}",
];

/// What stands in a path where an id should.
pub(crate) const IDS: [&str; 12] = [
    "x",
    "..",
    "%2e%2e",
    "%00",
    "%ff%fe",
    "auth_",
    "agt_0000000000000000000000000000000G",
    "%F0%9F%92%B8",
    "a%2Fb",
    "-",
    "0",
    "auth_00000000000000000000000000000000",
];

/// Queries.
pub(crate) const QUERIES: [&str; 12] = [
    "limit=-1",
    "limit=0",
    "limit=99999999999999999999",
    "cursor=x",
    "cursor=0-0&cursor=1-1",
    "%ff=%ff",
    "a=b&&&=",
    "agentId=x",
    "sessionId=%00",
    "digest=maybe",
    "from=-1",
    "status=NOTHING&period=1y&protocol=cash",
];
