//! As much of `PostgreSQL`'s wire protocol (version 3) as an event store on it needs: one prepared insert, one prepared read.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TABLE: &str = "create table if not exists events (position bigserial primary key, stream text not null, \
    revision bigint not null, event_id text not null, event_type text not null, recorded_at timestamptz not null default now(), \
    actor text, correlation_id text, data jsonb not null, unique (stream, revision))";
const INSERT: &str = "insert into events (stream, revision, event_id, event_type, actor, correlation_id, data) \
    values ($1::text, $2::text::bigint, $3::text, $4::text, $5::text, $6::text, $7::text::jsonb)";
/// What an envelope has, as text.
const READ: &str = "select position, stream, revision, event_id, event_type, recorded_at, actor, correlation_id, data \
    from events where stream = $1::text order by revision";

/// A connection.
pub(crate) struct Postgres {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
}

impl Postgres {
    /// Connects as `postgres` without a password, makes the table, and prepares both statements.
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Self {
            stream,
            out: Vec::new(),
            input: Vec::new(),
        };
        let mut hello = 196_608_u32.to_be_bytes().to_vec();
        hello.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        let length = u32::try_from(hello.len() + 4).unwrap();
        connection.out.extend(length.to_be_bytes());
        connection.out.extend(hello);
        connection.round().await;
        connection.message(b'Q', &text(TABLE));
        connection.round().await;
        for (name, statement) in [("insert", INSERT), ("read", READ)] {
            let mut body = text(name);
            body.extend(text(statement));
            body.extend([0, 0]);
            connection.message(b'P', &body);
        }
        connection.message(b'S', b"");
        connection.round().await;
        connection
    }

    fn message(&mut self, kind: u8, body: &[u8]) {
        self.out.push(kind);
        let length = u32::try_from(body.len() + 4).unwrap();
        self.out.extend(length.to_be_bytes());
        self.out.extend_from_slice(body);
    }

    /// Sends what is gathered, and reads until the server is ready again; how many rows came.
    async fn round(&mut self) -> usize {
        self.stream.write_all(&self.out).await.unwrap();
        self.out.clear();
        self.input.clear();
        let (mut at, mut rows) = (0, 0);
        loop {
            while self.input.len() < at + 5 {
                let read = self.stream.read_buf(&mut self.input).await.unwrap();
                assert!(read > 0, "PostgreSQL hung up");
            }
            let kind = self.input[at];
            let length = u32::from_be_bytes(self.input[at + 1..at + 5].try_into().unwrap());
            let end = at + 1 + length as usize;
            while self.input.len() < end {
                self.stream.read_buf(&mut self.input).await.unwrap();
            }
            let body = &self.input[at + 5..end];
            assert!(kind != b'E', "{}", String::from_utf8_lossy(body));
            rows += usize::from(kind == b'D');
            at = end;
            if kind == b'Z' {
                return rows;
            }
        }
    }

    fn execute(&mut self, statement: &str, values: &[&str]) {
        let mut body = text("");
        body.extend(text(statement));
        body.extend([0, 0]);
        body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend_from_slice(value.as_bytes());
        }
        body.extend([0, 0]);
        self.message(b'B', &body);
        self.message(b'E', &[0, 0, 0, 0, 0]);
        self.message(b'S', b"");
    }

    /// Inserts an event, durably: it is refused when its stream has its revision already.
    pub(crate) async fn append(&mut self, values: [&str; 7]) {
        self.execute("insert", &values);
        self.round().await;
    }

    /// Reads a stream; how many events it has.
    pub(crate) async fn read(&mut self, stream: &str) -> usize {
        self.execute("read", &[stream]);
        self.round().await
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
