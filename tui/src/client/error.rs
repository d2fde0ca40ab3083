//! What can go wrong between the terminal and a daemon.

use std::error::Error;
use std::io::ErrorKind;

use whodunit_core::api::problem::{Code, Problem};

/// Why a request has no answer, or not the one asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one.
    #[error("`{url}` is not a daemon's address: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// No connection, or it was lost.
    #[error("no daemon reachable at {url}: {cause}")]
    Unreachable {
        /// The daemon's address.
        url: String,
        /// In plain words.
        cause: String,
    },
    /// The daemon is there and did not answer in time.
    #[error("no answer from {url} within {seconds} s")]
    Timeout {
        /// The daemon's address.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The daemon answered with a problem.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Something answered, but not as a daemon of this version does.
    #[error("{url} did not answer as a whodunit daemon does: {reason}")]
    BadReply {
        /// What was asked.
        url: String,
        /// What is wrong with the reply.
        reason: String,
    },
    /// The context of the daemon is read-only.
    #[error("context `{context}` is read-only: nothing was sent")]
    ReadOnlyContext {
        /// Its name.
        context: String,
    },
    /// The source of a body that was being sent could not be read.
    #[error("cannot read the input: {0}")]
    Source(String),
}

impl ClientError {
    /// The problem's code, if the daemon answered with one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            Self::BadUrl { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::BadReply { .. }
            | Self::ReadOnlyContext { .. }
            | Self::Source(_) => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => problem.hint.clone(),
            Self::BadUrl { .. } => Some("write it like `http://127.0.0.1:4780`".to_owned()),
            Self::Unreachable { .. } => Some(
                "start one with `whodunit serve --data DIR`, or name its address with `--daemon URL`"
                    .to_owned(),
            ),
            Self::Timeout { .. } => {
                Some("the daemon may be busy: `whodunit health` shows it".to_owned())
            }
            Self::BadReply { .. } => {
                Some("is another program listening there, or a daemon of another version?".to_owned())
            }
            Self::ReadOnlyContext { .. } => Some(
                "`--daemon URL` reaches it outside the context; `whodunit context add --replace` changes the context"
                    .to_owned(),
            ),
            Self::Source(_) => None,
        }
    }

    /// Whether trying again later may help: the daemon is away, busy or starting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Problem(problem) => matches!(
                problem.code,
                Code::Busy | Code::Unavailable | Code::ReadOnly
            ),
            Self::BadUrl { .. }
            | Self::BadReply { .. }
            | Self::ReadOnlyContext { .. }
            | Self::Source(_) => false,
        }
    }

    pub(super) fn from_reqwest(url: &str, error: &reqwest::Error) -> Self {
        let unreachable = |cause: String| Self::Unreachable {
            url: url.to_owned(),
            cause,
        };
        let chain: Vec<String> = causes(error).map(ToString::to_string).collect();
        let kind = causes(error).find_map(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .map(std::io::Error::kind)
        });
        if error.is_connect() {
            return unreachable(match kind {
                Some(ErrorKind::ConnectionRefused) => "nothing listens there".to_owned(),
                Some(ErrorKind::TimedOut) => format!(
                    "no connection within {} s",
                    super::CONNECT_TIMEOUT.as_secs()
                ),
                _ if error.is_timeout() => format!(
                    "no connection within {} s",
                    super::CONNECT_TIMEOUT.as_secs()
                ),
                _ if chain.iter().any(|text| text.contains("dns error")) => {
                    "the host's name is unknown".to_owned()
                }
                _ => chain.last().cloned().unwrap_or_default(),
            });
        }
        if error.is_timeout() {
            return Self::Timeout {
                url: url.to_owned(),
                seconds: super::REQUEST_TIMEOUT.as_secs(),
            };
        }
        if chain.iter().any(|text| text.contains("invalid HTTP")) {
            return Self::BadReply {
                url: url.to_owned(),
                reason: "the reply is not HTTP".to_owned(),
            };
        }
        let cut = matches!(
            kind,
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
        );
        if cut || chain.iter().any(|text| is_cut(text)) {
            return unreachable(
                "the connection was closed before the reply was complete".to_owned(),
            );
        }
        unreachable(chain.last().cloned().unwrap_or_default())
    }
}

/// How hyper says that the other side hung up.
fn is_cut(text: &str) -> bool {
    text.contains("closed before message completed")
        || text.contains("end of file before message length reached")
        || text.contains("unexpected EOF")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
        (*error).source()
    })
}
