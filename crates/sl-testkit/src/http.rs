//! As much HTTP/1.1 as JSON-RPC needs, blocking.

use std::io::{self, BufRead};

/// A request or an answer.
pub(crate) struct Message {
    /// Its first line.
    pub(crate) start: String,
    /// Its headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The next message of a connection; `None` at its end.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut start = String::new();
        if from.read_line(&mut start)? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Self { start: start.trim().to_owned(), headers, body: Vec::new() };
        let length = message.header("content-length").and_then(|text| text.parse().ok());
        message.body.resize(length.unwrap_or(0), 0);
        from.read_exact(&mut message.body)?;
        Ok(Some(message))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
