//! The trace that a request belongs to (W3C Trace Context): taken from `traceparent`
//! where that holds, begun here where it does not, put into every line of the log that
//! the request causes, and told in the answer.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The length of `traceparent` in its only version.
const LENGTH: usize = 55;

/// A trace and our own part of it: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    trace: u128,
    /// The caller's part, 0 where the trace begins here.
    parent: u64,
    own: u64,
    flags: u8,
}

/// Gives the request its trace, and tells it in the answer.
pub(crate) async fn follow(mut request: Request, next: Next) -> Response {
    let trace = Trace::of(request.headers().get(TRACEPARENT));
    request.extensions_mut().insert(trace);
    let mut response = next.run(request).await;
    if let Ok(told) = HeaderValue::from_str(&trace.to_string()) {
        response.headers_mut().insert(TRACEPARENT, told);
    }
    response
}

impl Trace {
    /// Our own part of the caller's trace, or a trace of our own.
    fn of(header: Option<&HeaderValue>) -> Self {
        let own = nonzero(uuid::Uuid::new_v4().as_u64_pair().0);
        match header.and_then(read) {
            Some((trace, parent, flags)) => Self {
                trace,
                parent,
                own,
                flags,
            },
            None => Self {
                trace: uuid::Uuid::new_v4().as_u128(),
                parent: 0,
                own,
                flags: 0,
            },
        }
    }

    /// The trace, as logs have it.
    pub(crate) fn id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The caller's part of it, as logs have it; empty where the trace begins here.
    pub(crate) fn parent(&self) -> String {
        match self.parent {
            0 => String::new(),
            parent => format!("{parent:016x}"),
        }
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.own, self.flags
        )
    }
}

fn nonzero(id: u64) -> u64 {
    id.max(1)
}

/// Trace, parent and the one flag that is known; nothing else of the header goes on.
fn read(header: &HeaderValue) -> Option<(u128, u64, u8)> {
    if header.len() != LENGTH {
        return None;
    }
    let text = header.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let lengths = (version.len(), trace.len(), parent.len(), flags.len());
    let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
    if parts.next().is_some() || lengths != (2, 32, 16, 2) || !text.chars().all(hex) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok()?;
    let parent = u64::from_str_radix(parent, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (version == "00" && trace != 0 && parent != 0).then_some((trace, parent, flags & 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> Trace {
        Trace::of(Some(&HeaderValue::from_bytes(text.as_bytes()).unwrap()))
    }

    #[test]
    fn a_trace_that_holds_is_followed() {
        let trace = of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff");
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.parent(), "00f067aa0ba902b7");
        let told = trace.to_string();
        assert!(
            told.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
            "{told}"
        );
        assert!(told.ends_with("-01"), "the flag that is known: {told}");
        assert!(
            !told.contains("00f067aa0ba902b7"),
            "our part is our own: {told}"
        );
    }

    /// What a client makes up does not stand in our log.
    #[test]
    fn a_trace_that_does_not_hold_is_begun_anew() {
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7--1",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "äö-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            let trace = of(wrong);
            assert_ne!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736", "{wrong}");
            assert_eq!(trace.parent(), "", "{wrong}");
            assert_eq!(trace.to_string().len(), LENGTH);
        }
    }
}
