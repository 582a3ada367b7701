import Core

/// What happened on an HTTP/2 connection, in the order of the octets. Taken from ``HTTP2Session/nextEvent()`` after each
/// `receive` and each `produce`.
///
/// Lanes are named without being counted: the session holds each until its `closed` event, which hands it over. So the
/// events of a request, half a dozen on each side, cost no counting of references.
public enum HTTP2Event {
    /// A head is complete: ``HTTP2Lane/heads``. The first of a stream that the peer opened introduces the stream.
    case head(Unmanaged<HTTP2Lane>)
    /// Content. The view lies in the octets that were received: use or copy it before they go. Its octets count against
    /// the stream's window until ``HTTP2Session/consumed(_:on:)``.
    case content(Unmanaged<HTTP2Lane>, ByteView)
    /// The peer ended its direction; its trailers, if any, are in ``HTTP2Lane/trailers``.
    case end(Unmanaged<HTTP2Lane>)
    /// Some of the output was sent, and ``HTTP2Lane/wantsRoom`` had been set; it is clear again.
    case room(Unmanaged<HTTP2Lane>)
    /// The stream is over: by END_STREAM both ways (`noError`), by RST_STREAM of either side, or unprocessed because of a
    /// GOAWAY (`refusedStream`). The reference is the taker's (`takeRetainedValue`): give the lane back.
    case closed(Unmanaged<HTTP2Lane>, HTTP2ErrorCode)
    /// The peer opens and takes no further streams; those above `lastStream` were not processed.
    case goAway(lastStream: UInt32, HTTP2ErrorCode)
    /// The peer's settings have come, the first or new ones.
    case settings
    case pingAnswered(UInt64)
}
