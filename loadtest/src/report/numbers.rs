//! Numbers as people read them: grouped by thousands, and with as many digits as mean something.

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Something a second, to the nearest whole number.
pub(crate) fn rate(per_second: f64) -> String {
    count(per_second.round() as u64)
}

/// A measured number with three digits that count: `0.0500`, `1.23`, `12.3`, `1,234`.
pub(crate) fn measured(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.0995 => format!("{number:.4}"),
        size if size < 0.9995 => format!("{number:.3}"),
        size if size < 9.995 => format!("{number:.2}"),
        size if size < 99.95 => format!("{number:.1}"),
        _ if number < 0.0 => format!("-{}", rate(-number)),
        _ => rate(number),
    }
}

/// How often one number contains another: `0.25`, `59.9`.
pub(crate) fn multiple(ratio: f64) -> String {
    if ratio < 9.995 { format!("{ratio:.2}") } else { measured(ratio) }
}

/// A share of 0 to 1: `0.12 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = format!("{:.2}", share * 100.0);
    let short = percent.trim_end_matches('0').trim_end_matches('.');
    // A share is not said to be nothing or all unless it is.
    match short {
        "0" if share > 0.0 => "< 0.01 %".to_owned(),
        "100" if share < 1.0 => "> 99.99 %".to_owned(),
        _ => format!("{short} %"),
    }
}

/// `8.0 GiB`, `41.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match bytes as f64 / MIB {
        mib if mib >= 1024.0 => format!("{:.1} GiB", mib / 1024.0),
        mib => format!("{mib:.1} MiB"),
    }
}

/// A number that is whole as often as not: `2.5`, `10`.
pub(crate) fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1 worker`, `2 workers`.
pub(crate) fn of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in [
            (0.0, "0"),
            (0.0123, "0.0123"),
            (0.2, "0.200"),
            (0.9996, "1.00"),
            (3.18054, "3.18"),
            (9.996, "10.0"),
            (99.96, "100"),
            (1234.5, "1,235"),
            (-0.5, "-0.500"),
            (-1234.4, "-1,234"),
        ] {
            assert_eq!(measured(number), expected);
        }
        for (share, expected) in [
            (0.0, "0 %"),
            (0.00001, "< 0.01 %"),
            (0.001, "0.1 %"),
            (0.5, "50 %"),
            (0.99999, "> 99.99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), expected);
        }
        assert_eq!((multiple(0.25), multiple(59.98)), ("0.25".to_owned(), "60.0".to_owned()));
        assert_eq!((bytes(8 << 30), bytes(41 << 20)), ("8.0 GiB".to_owned(), "41.0 MiB".to_owned()));
        assert_eq!((plain(10.0), plain(2.5), plain(99.9)), ("10".to_owned(), "2.5".to_owned(), "99.9".to_owned()));
        assert_eq!((of(1, "kill"), of(2000, "agent")), ("1 kill".to_owned(), "2,000 agents".to_owned()));
    }
}
