import Core

/// The body of a gRPC response on its way to a client of gRPC-Web: the frames as they are, or in base64, and the trailers as
/// a frame behind them.
///
/// In base64 each frame ends with its padding, so that a client can read it as soon as it is there. At most two octets are
/// held back meanwhile.
public struct GRPCWebResponseBody: BitwiseCopyable, Sendable {
    /// Set in the first octet of the frame that holds the trailers (gRPC-Web, "Protocol differences").
    public static let trailersFlag: UInt8 = 0x80
    /// A frame's flags, and its length in four octets, the highest first.
    private static let frameHeader: UInt8 = 5

    private let isText: Bool
    private var encoder = Base64Encoder()
    /// Octets of the present frame's header that came.
    private var headerOctets: UInt8 = 0
    /// Of its content still to come.
    private var remaining: UInt32 = 0

    public init(isText: Bool) { self.isText = isText }

    /// Appends what the client gets of `content`.
    public mutating func take(_ content: ByteView, to out: inout ByteBuffer) {
        guard isText else { return out.append(content) }
        var at = 0
        while at < content.count {
            let from = at
            while headerOctets < Self.frameHeader, at < content.count {
                remaining = headerOctets == 0 ? 0 : remaining << 8 | UInt32(content[at])
                headerOctets += 1
                at += 1
            }
            if headerOctets == Self.frameHeader {
                let count = min(content.count - at, Int(remaining))
                remaining -= UInt32(count)
                at += count
            }
            encoder.encode(content[from..<at], to: &out)
            if headerOctets == Self.frameHeader, remaining == 0 {
                encoder.finish(to: &out)
                headerOctets = 0
            }
        }
    }

    /// Appends the frame of the trailers; none where there are none.
    /// - Parameter lines: `name: value`, each with its CRLF.
    public mutating func end(trailers lines: ByteView, to out: inout ByteBuffer) {
        if isText { encoder.finish(to: &out) }
        guard !lines.isEmpty else { return }
        var frame = ByteBuffer(capacity: Int(Self.frameHeader) + lines.count)
        frame.append(byte: Self.trailersFlag)
        for place in 0..<4 { frame.append(byte: UInt8(truncatingIfNeeded: lines.count >> (24 - 8 * place))) }
        var isInName = true
        for index in lines.indices {
            let octet = lines[index]
            if octet == ASCII.colon { isInName = false }
            frame.append(byte: isInName ? ASCII.lower(octet) : octet)
            if octet == ASCII.lf { isInName = true }
        }
        guard isText else { return out.append(frame.view) }
        encoder.encode(frame.view, to: &out)
        encoder.finish(to: &out)
    }
}
