//! As much of gRPC as `UmaDB`'s `Append` and `Read` need: HTTP/2 frames without compression of headers, and Protocol Buffers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const WINDOW_MAX: u32 = 0x7fff_ffff;

/// A connection.
pub(crate) struct Umadb {
    stream: TcpStream,
    authority: String,
    next: u32,
    input: Vec<u8>,
    at: usize,
    /// The position of the last event of its stream, which the next append must still find as the last.
    last: Option<u64>,
}

/// An event.
pub(crate) struct Event<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    /// The stream, as `UmaDB` has it: a tag.
    pub(crate) tag: &'a str,
    pub(crate) data: &'a str,
}

impl Umadb {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Self {
            stream,
            authority: address.to_owned(),
            next: 1,
            input: Vec::new(),
            at: 0,
            last: None,
        };
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let mut window = vec![0, 4];
        window.extend(WINDOW_MAX.to_be_bytes());
        frame(&mut hello, SETTINGS, 0, 0, &window);
        let more = WINDOW_MAX - 65_535;
        frame(&mut hello, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        connection.stream.write_all(&hello).await.unwrap();
        connection
    }

    /// Calls a method; the messages of its answer.
    async fn call(&mut self, method: &str, message: &[u8]) -> Vec<Vec<u8>> {
        let id = self.next;
        self.next += 2;
        let mut headers = Vec::new();
        let path = format!("/umadb.v1.DCB/{method}");
        let authority = self.authority.clone();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path.as_str()),
            (":authority", authority.as_str()),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ] {
            // A literal that is not to be indexed, neither part of it compressed.
            headers.push(0);
            headers.push(u8::try_from(name.len()).unwrap());
            headers.extend_from_slice(name.as_bytes());
            headers.push(u8::try_from(value.len()).unwrap());
            headers.extend_from_slice(value.as_bytes());
        }
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend_from_slice(message);
        let mut out = Vec::new();
        frame(&mut out, HEADERS, END_HEADERS, id, &headers);
        let pieces = body.chunks(16_384);
        let last = pieces.len() - 1;
        for (n, piece) in pieces.enumerate() {
            let flags = if n == last { END_STREAM } else { 0 };
            frame(&mut out, DATA, flags, id, piece);
        }
        self.stream.write_all(&out).await.unwrap();
        let body = self.answer(id).await;
        let (mut messages, mut rest) = (Vec::new(), body.as_slice());
        while let [0, a, b, c, d, more @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            messages.push(more[..length].to_vec());
            rest = &more[length..];
        }
        messages
    }

    /// The body of a stream's answer.
    async fn answer(&mut self, id: u32) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let (kind, flags, stream, payload) = self.frame().await;
            match kind {
                SETTINGS if flags & 1 == 0 => self.reply(SETTINGS, &[]).await,
                PING if flags & 1 == 0 => self.reply(PING, &payload).await,
                GO_AWAY => panic!("{}", String::from_utf8_lossy(&payload)),
                RESET if stream == id => panic!("UmaDB refused a call: {payload:?}"),
                DATA if stream == id => body.extend(payload),
                _ => {}
            }
            if stream == id && flags & END_STREAM != 0 && matches!(kind, DATA | HEADERS) {
                return body;
            }
        }
    }

    async fn reply(&mut self, kind: u8, payload: &[u8]) {
        let mut out = Vec::new();
        frame(&mut out, kind, 1, 0, payload);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn frame(&mut self) -> (u8, u8, u32, Vec<u8>) {
        self.have(9).await;
        let head: [u8; 9] = self.input[self.at..self.at + 9].try_into().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        self.have(9 + length).await;
        let payload = self.input[self.at + 9..self.at + 9 + length].to_vec();
        self.at += 9 + length;
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        }
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        (head[3], head[4], stream, payload)
    }

    async fn have(&mut self, bytes: usize) {
        while self.input.len() < self.at + bytes {
            let read = self.stream.read_buf(&mut self.input).await.unwrap();
            assert!(read > 0, "UmaDB hung up");
        }
    }

    /// Appends events of one tag, which must have had none since the last append of this connection.
    pub(crate) async fn append(&mut self, events: &[Event<'_>]) {
        let mut request = Vec::new();
        for event in events {
            let mut one = Vec::new();
            field(&mut one, 1, event.kind.as_bytes());
            field(&mut one, 2, event.tag.as_bytes());
            field(&mut one, 3, event.data.as_bytes());
            field(&mut one, 4, event.id.as_bytes());
            field(&mut request, 1, &one);
        }
        let mut condition = Vec::new();
        field(&mut condition, 1, &query(events[0].tag));
        if let Some(last) = self.last {
            number(&mut condition, 2, last);
        }
        field(&mut request, 2, &condition);
        let answer = self.call("Append", &request).await;
        let position = answer.first().expect("UmaDB refused an append");
        self.last = Some(read_number(&position[1..]));
    }

    /// Reads all events of a tag; how many bytes there are.
    pub(crate) async fn read(&mut self, tag: &str) -> usize {
        let mut request = Vec::new();
        field(&mut request, 1, &query(tag));
        number(&mut request, 6, 1_000);
        let answer = self.call("Read", &request).await;
        answer.iter().map(Vec::len).sum()
    }
}

/// Events that have a tag.
fn query(tag: &str) -> Vec<u8> {
    let (mut item, mut query) = (Vec::new(), Vec::new());
    field(&mut item, 2, tag.as_bytes());
    field(&mut query, 1, &item);
    query
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn number(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag << 3);
    varint(out, value);
}

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn read_number(bytes: &[u8]) -> u64 {
    let mut value = 0;
    for (n, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
