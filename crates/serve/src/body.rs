//! Bodies of requests: read within bounds of bytes and time, and unpacked.

use crate::fault::{Fault, shortened};
use crate::limits::Limits;
use crate::patient::within;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size is read on the thread of the handler, and does not count among the large ones.
const SMALL: usize = 64 << 10;

/// The unit in which large bodies are counted.
const UNIT: usize = 1 << 10;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum Packing {
    #[default]
    None,
    Gzip,
    /// In zlib's form, as HTTP says.
    Deflate,
}

impl Packing {
    pub fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::None) };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::None),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"deflate" => Ok(Self::Deflate),
            other => Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!(
                    "the Content-Encoding must be gzip or deflate, or not be there, got {:?}",
                    shortened(&String::from_utf8_lossy(other), 40)
                ),
            )),
        }
    }
}

/// Answers below this size are not packed.
const WORTH_PACKING: usize = 1 << 10;

impl Packing {
    /// How the answer of an inference is to be packed: only if the client asks for one form alone, as Triton's does.
    /// Numbers become little smaller, so those that accept several get them as they are.
    pub fn asked(headers: &HeaderMap) -> Self {
        match headers.get(header::ACCEPT_ENCODING).map(|value| value.as_bytes().trim_ascii()) {
            Some(b"gzip") => Self::Gzip,
            Some(b"deflate") => Self::Deflate,
            _ => Self::None,
        }
    }

    /// Packs a body, and returns the name of the form if it was worth it.
    pub fn pack(self, bytes: &mut Vec<u8>) -> Result<Option<&'static str>, Fault> {
        if bytes.len() < WORTH_PACKING {
            return Ok(None);
        }
        let (name, packed) = match self {
            Self::None => return Ok(None),
            Self::Gzip => {
                let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
                ("gzip", packer.write_all(bytes).and_then(|()| packer.finish()))
            }
            Self::Deflate => {
                let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
                ("deflate", packer.write_all(bytes).and_then(|()| packer.finish()))
            }
        };
        *bytes = packed.map_err(Fault::inside)?;
        Ok(Some(name))
    }
}

/// A body in memory.
#[derive(Debug, Default)]
pub(crate) struct Body {
    bytes: Bytes,
    packing: Packing,
    most: usize,
    /// Given back when the body is dropped.
    _room: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// Whether it is small and not packed, so that a handler may read it.
    pub fn is_small(&self) -> bool {
        self.packing == Packing::None && self.bytes.len() <= SMALL
    }

    /// The bytes, unpacked.
    pub fn unpacked(&self) -> Result<Bytes, Fault> {
        let packed: &mut dyn Read = match self.packing {
            Packing::None => return Ok(self.bytes.clone()),
            Packing::Gzip => &mut MultiGzDecoder::new(&self.bytes[..]),
            Packing::Deflate => &mut ZlibDecoder::new(&self.bytes[..]),
        };
        let mut bytes = Vec::new();
        let read = packed.take((self.most as u64).saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Fault::bad(format!("the body cannot be unpacked: {error}")))?;
        match bytes.len() > self.most {
            true => Err(too_large(self.most)),
            false => Ok(bytes.into()),
        }
    }
}

fn too_large(most: usize) -> Fault {
    Fault::large(format!("the body must have at most {most} bytes, also after it is unpacked"))
}

/// Reads bodies within the limits.
pub(crate) struct Bodies {
    most: usize,
    /// The bytes of all large bodies and answers together.
    most_room: usize,
    time: Duration,
    room: Arc<Semaphore>,
}

impl Bodies {
    pub fn new(limits: &Limits) -> Self {
        let room = limits.bodies.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            most: limits.body,
            most_room: limits.bodies,
            time: limits.time,
            room: Arc::new(Semaphore::new(room)),
        }
    }

    /// Reads a whole body.
    pub async fn read(&self, body: axum::body::Body, packing: Packing) -> Result<Body, Fault> {
        self.read_within(body, packing, self.most).await
    }

    /// Reads the body of a call that needs little, and unpacks it.
    pub async fn read_small(&self, body: axum::body::Body, packing: Packing) -> Result<Bytes, Fault> {
        self.read_within(body, packing, SMALL.min(self.most)).await?.unpacked()
    }

    async fn read_within(
        &self,
        body: axum::body::Body,
        packing: Packing,
        most: usize,
    ) -> Result<Body, Fault> {
        let whole = within(self.time, self.collect(body, most));
        let (bytes, room) = whole.await.unwrap_or_else(|| {
            let text = format!("the body must arrive within {:?}", self.time);
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, text))
        })?;
        Ok(Body { bytes, packing, most, _room: room })
    }

    async fn collect(
        &self,
        mut body: axum::body::Body,
        most: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Fault> {
        let stated = body.size_hint().lower();
        if stated > most as u64 {
            return Err(too_large(most));
        }
        let (mut first, mut bytes, mut room) = (None, Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::bad(format!("the body has ended early: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + first.as_ref().map_or(0, Bytes::len) + data.len();
            if length > most {
                return Err(too_large(most));
            }
            self.reserve(&mut room, length)?;
            match first.take() {
                // Most bodies are in one piece, which is not copied.
                None if bytes.is_empty() => first = Some(data),
                before => {
                    // What is stated is only believed as far as it has arrived.
                    bytes.reserve(data.len());
                    bytes.extend_from_slice(&before.unwrap_or_default());
                    bytes.extend_from_slice(&data);
                }
            }
        }
        Ok((first.unwrap_or_else(|| bytes.into()), room))
    }

    /// Takes room for a large answer, which is given back once the client has taken it.
    pub fn hold(&self, response: Response) -> Result<Response, Fault> {
        let length = response.body().size_hint().exact().unwrap_or(0);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.most_room {
            return Err(Fault::large(format!(
                "the answer must have at most {} bytes, got {length}; ask for fewer rows at once",
                self.most_room
            )));
        }
        let mut room = None;
        self.reserve(&mut room, length)?;
        Ok(match room {
            None => response,
            Some(_) => response.map(|body| axum::body::Body::new(Held { body, room })),
        })
    }

    /// Takes room for a large body of this length so far.
    fn reserve(&self, room: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<(), Fault> {
        if length <= SMALL {
            return Ok(());
        }
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = length.div_ceil(UNIT).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let permits = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = self.room.clone().try_acquire_many_owned(permits) else {
            return Err(Fault::busy(
                "the server has as many large bodies and answers as it has room for; ask again in a second",
            ));
        };
        match room {
            Some(held) => held.merge(permit),
            None => *room = Some(permit),
        }
        Ok(())
    }
}

/// An answer that holds room, which goes along with its bytes until they are sent.
struct Held {
    body: axum::body::Body,
    room: Option<OwnedSemaphorePermit>,
}

/// Bytes, and their room.
struct Roomy {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Roomy {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        // There is one frame with data.
        let with_room = |bytes| match self.room.take() {
            Some(room) => Bytes::from_owner(Roomy { bytes, _room: room }),
            None => bytes,
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(with_room))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
