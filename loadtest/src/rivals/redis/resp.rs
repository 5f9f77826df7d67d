//! The protocol of Redis (RESP2), as much of it as is spoken here: commands of texts out, values in.

use thiserror::Error;

/// The deepest nesting of lists that is read.
const DEPTH_MAX: u8 = 4;
/// The longest list that is read.
const ITEMS_MAX: usize = 1024;
/// The longest text that is read.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Appends one command.
pub(super) fn write_command<T: AsRef<[u8]>>(
    arguments: impl IntoIterator<Item = T, IntoIter: Clone>,
    bytes: &mut Vec<u8>,
) {
    let arguments = arguments.into_iter();
    write_length(b'*', arguments.clone().count(), bytes);
    for argument in arguments {
        let argument = argument.as_ref();
        write_length(b'$', argument.len(), bytes);
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
}

fn write_length(kind: u8, length: usize, bytes: &mut Vec<u8>) {
    bytes.push(kind);
    write_number(length as u64, bytes);
    bytes.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal digits.
fn write_number(number: u64, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    let mut rest = number;
    loop {
        bytes.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    bytes[start..].reverse();
}

/// What Redis answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Nothing was done, and why: a code, a space, words.
    Error(&'a str),
    Text(&'a [u8]),
    Integer(i64),
    /// There is no such thing.
    Nothing,
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// The number that it is, or that its digits are.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(digits) => str::from_utf8(digits).ok()?.parse().ok(),
            Value::Error(_) | Value::Nothing | Value::List(_) => None,
        }
    }
}

/// Bytes that are not this protocol.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("redis-server sent something that is not its protocol")]
pub(super) struct NotResp;

/// Reads the first value of `bytes`, and returns what follows it; `None` while it has not arrived in full.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Value<'_>, &[u8])>, NotResp> {
    read_nested(bytes, DEPTH_MAX)
}

fn read_nested(bytes: &[u8], depth: u8) -> Result<Option<(Value<'_>, &[u8])>, NotResp> {
    let Some((line, rest)) = cut_line(bytes) else { return Ok(None) };
    let (&kind, line) = line.split_first().ok_or(NotResp)?;
    let text = str::from_utf8(line).map_err(|_| NotResp)?;
    let number = || text.parse::<i64>().map_err(|_| NotResp);
    let value = match kind {
        b'+' => Value::Text(line),
        b'-' => Value::Error(text),
        b':' => Value::Integer(number()?),
        b'$' | b'*' if number()? == -1 => Value::Nothing,
        b'$' => return read_text(rest, length(number()?, TEXT_BYTES_MAX)?),
        b'*' => return read_list(rest, length(number()?, ITEMS_MAX)?, depth),
        _ => return Err(NotResp),
    };
    Ok(Some((value, rest)))
}

fn length(number: i64, maximum: usize) -> Result<usize, NotResp> {
    usize::try_from(number).ok().filter(|length| *length <= maximum).ok_or(NotResp)
}

fn read_text(bytes: &[u8], length: usize) -> Result<Option<(Value<'_>, &[u8])>, NotResp> {
    let Some((text, rest)) = bytes.split_at_checked(length) else { return Ok(None) };
    match rest {
        [b'\r', b'\n', rest @ ..] => Ok(Some((Value::Text(text), rest))),
        [] | [b'\r'] => Ok(None),
        [_, ..] => Err(NotResp),
    }
}

fn read_list(bytes: &[u8], length: usize, depth: u8) -> Result<Option<(Value<'_>, &[u8])>, NotResp> {
    let depth = depth.checked_sub(1).ok_or(NotResp)?;
    let mut values = Vec::with_capacity(length);
    let mut rest = bytes;
    while values.len() < length {
        let Some((value, after)) = read_nested(rest, depth)? else { return Ok(None) };
        values.push(value);
        rest = after;
    }
    Ok(Some((Value::List(values), rest)))
}

/// The first line without its end, and what follows it.
fn cut_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_redis_reads_them() {
        let mut bytes = Vec::new();
        write_command(["GET", "", "a\r\nb"], &mut bytes);
        assert_eq!(bytes, b"*3\r\n$3\r\nGET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
        for number in [0, 7, 10, 12_345, u64::MAX] {
            let mut digits = Vec::new();
            write_number(number, &mut digits);
            assert_eq!(digits, number.to_string().as_bytes());
        }
    }

    #[test]
    fn values_are_read_once_they_have_arrived() {
        fn check(bytes: &[u8], expected: Value<'_>) {
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Ok(None), "cut to {end}");
            }
            let longer = [bytes, b"+"].concat();
            assert_eq!(read(&longer), Ok(Some((expected, &b"+"[..]))));
        }
        check(b"+OK\r\n", Value::Text(b"OK"));
        check(b"-NOSCRIPT none\r\n", Value::Error("NOSCRIPT none"));
        check(b":-12\r\n", Value::Integer(-12));
        check(b"$-1\r\n", Value::Nothing);
        check(b"*-1\r\n", Value::Nothing);
        check(b"$0\r\n\r\n", Value::Text(b""));
        check(b"$4\r\na\r\nb\r\n", Value::Text(b"a\r\nb"));
        check(b"*0\r\n", Value::List(vec![]));
        check(
            b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
            Value::List(vec![Value::Integer(1), Value::List(vec![Value::Text(b"x")])]),
        );
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bytes in [
            &b"?1\r\n"[..],
            b"\r\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$99999999\r\n",
            b"*99999999\r\n",
            b"$1\r\nab\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            assert_eq!(read(bytes), Err(NotResp), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn numbers_are_integers_or_digits() {
        assert_eq!(Value::Integer(5).number(), Some(5));
        assert_eq!(Value::Text(b"12").number(), Some(12));
        for none in [Value::Integer(-1), Value::Text(b"x"), Value::Nothing, Value::Error("5")] {
            assert_eq!(none.number(), None, "{none:?}");
        }
    }
}
