//! HTTP written by hand over a connection that is kept open, so that requests may be as odd as bytes can be.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The longest wait for an answer: the gateway's own limit on a request, and some more.
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The content type.
    pub(crate) kind: String,
    pub(crate) text: String,
}

pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client { address, connection: None }
    }

    /// Sends the bytes of a request. A connection that was closed in between is opened anew, once.
    pub(crate) fn send(&mut self, head: &[u8], body: &[u8]) -> Result<Answer, String> {
        let had_one = self.connection.is_some();
        match self.try_send(head, body) {
            Ok(answer) => Ok(answer),
            Err(error) if had_one && error.kind() != io::ErrorKind::WouldBlock => {
                self.connection = None;
                self.try_send(head, body).map_err(|error| format!("no answer: {error}"))
            }
            Err(error) => Err(format!("no answer in time: {error}")),
        }
    }

    fn try_send(&mut self, head: &[u8], body: &[u8]) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(DEADLINE))?;
                stream.set_write_timeout(Some(DEADLINE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let stream = connection.get_mut();
        stream.write_all(head)?;
        // A body that is too large may be refused before it is read; the answer counts.
        let sent = stream.write_all(body);
        let answered = read(&mut connection, head.starts_with(b"HEAD "));
        let (answer, is_open) = match (answered, sent) {
            (Ok(answered), _) => answered,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        if is_open {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// Reads an answer; whether the connection can be used again. An answer without a body may still say how long it would be.
fn read(connection: &mut BufReader<TcpStream>, is_bodiless: bool) -> io::Result<(Answer, bool)> {
    let status = line(connection)?;
    let status: u16 = status.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| no_http(&status))?;
    let (mut kind, mut length, mut chunked, mut closes) = (String::new(), None, false, false);
    loop {
        let header = line(connection)?;
        let Some((name, value)) = header.split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => kind = value.to_owned(),
            "content-length" => length = value.parse::<usize>().ok(),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    // A stream of events never ends by itself; that it began is the answer.
    if kind.starts_with("text/event-stream") {
        return Ok((Answer { status, kind, text: String::new() }, false));
    }
    if is_bodiless {
        return Ok((Answer { status, kind, text: String::new() }, !closes));
    }
    let bytes = if chunked { chunks(connection)? } else { exactly(connection, length.unwrap_or(0))? };
    Ok((Answer { status, kind, text: String::from_utf8_lossy(&bytes).into_owned() }, !closes))
}

fn chunks(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let size = line(connection)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| no_http(&size))?;
        bytes.extend(exactly(connection, size)?);
        line(connection)?;
        if size == 0 {
            return Ok(bytes);
        }
    }
}

fn exactly(connection: &mut BufReader<TcpStream>, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    connection.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn no_http(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{line}` is no HTTP"))
}
