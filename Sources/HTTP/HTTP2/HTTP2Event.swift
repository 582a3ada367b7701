import Core

/// What happened on an HTTP/2 connection, in the order of the octets. Taken from ``HTTP2Session/nextEvent()`` after each
/// `receive` and each `produce`.
public enum HTTP2Event {
    /// A head is complete: ``HTTP2Lane/heads``. The first of a stream that the peer opened introduces the stream.
    case head(HTTP2Lane)
    /// Content. The view lies in the octets that were received: use or copy it before they go. Its octets count against
    /// the stream's window until ``HTTP2Session/consumed(_:on:)``.
    case content(HTTP2Lane, ByteView)
    /// The peer ended its direction; its trailers, if any, are in ``HTTP2Lane/trailers``.
    case end(HTTP2Lane)
    /// Some of the output was sent, and ``HTTP2Lane/wantsRoom`` had been set; it is clear again.
    case room(HTTP2Lane)
    /// The stream is over: by END_STREAM both ways (`noError`), by RST_STREAM of either side, or unprocessed because of a
    /// GOAWAY (`refusedStream`). Give the lane back.
    case closed(HTTP2Lane, HTTP2ErrorCode)
    /// The peer opens and takes no further streams; those above `lastStream` were not processed.
    case goAway(lastStream: UInt32, HTTP2ErrorCode)
    /// The peer's settings have come, the first or new ones.
    case settings
    case pingAnswered(UInt64)
}
