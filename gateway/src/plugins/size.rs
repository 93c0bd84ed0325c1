//! Refuses bodies above the allowed size: by their announced length, or, where none is announced, by reading them.
//! What is read is never more than the allowed size, and a client that stands still is not waited for.

use std::ops::ControlFlow;

use axum::body::{Body, HttpBody};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Step;
use crate::{
    answers::TOO_LARGE,
    call::Call,
    config::SizeConfig,
    proxy::{CLIENT_PAUSE, Counted},
};

pub(crate) async fn access(config: SizeConfig, call: &Call, request: Request<Body>) -> Step<Request<Body>> {
    let allowed = config.bytes();
    let headers = request.headers();
    let announced: Option<u64> =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let waits = headers
        .get(header::EXPECT)
        .is_some_and(|expect| expect.as_bytes().trim_ascii().eq_ignore_ascii_case(b"100-continue"));
    let refuse = |waits: bool| {
        let status = if waits { StatusCode::EXPECTATION_FAILED } else { StatusCode::PAYLOAD_TOO_LARGE };
        ControlFlow::Break(call.reader.error(status, TOO_LARGE))
    };
    match announced {
        Some(length) if length > allowed => refuse(waits),
        None if !request.body().is_end_stream() => {
            let (mut parts, body) = request.into_parts();
            let body = Counted::new(body, CLIENT_PAUSE, |_| ());
            match Limited::new(body, usize::try_from(allowed).unwrap_or(usize::MAX)).collect().await {
                Ok(read) => {
                    // The length is known now.
                    parts.headers.remove(header::TRANSFER_ENCODING);
                    ControlFlow::Continue(Request::from_parts(parts, Body::from(read.to_bytes())))
                }
                Err(error) if error.is::<LengthLimitError>() => refuse(waits),
                Err(_) => ControlFlow::Break(call.reader.unreached(StatusCode::BAD_REQUEST)),
            }
        }
        _ => ControlFlow::Continue(request),
    }
}
