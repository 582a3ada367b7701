import Core

/// Reads the frame headers of what a peer sends (RFC 9113, section 4.1) beside the library that reads the frames: it sees
/// every frame, also those that the library drops without a word, and charges the ``HTTP2Guard`` for them. What is malformed
/// is the library's to refuse; here it is only passed over.
struct HTTP2FrameScan: BitwiseCopyable {
    enum Kind {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let priority: UInt8 = 2
        static let resetStream: UInt8 = 3
        static let windowUpdate: UInt8 = 8
        static let continuation: UInt8 = 9
    }

    enum Flag {
        static let endStream: UInt8 = 1
        static let padded: UInt8 = 8
    }

    /// `PRI * HTTP/2.0…` (RFC 9113, section 3.4).
    static let prefaceOctets = 24
    static let headerOctets = 9

    private let isServer: Bool
    private let continuations: Int
    /// Octets to pass over before the next frame header.
    private var skip: Int
    private var header: UInt64 = 0
    private var lastHeaderOctet: UInt8 = 0
    private var have = 0
    /// The highest stream that the peer has opened.
    private var lastStream: UInt32 = 0
    private var continuationsSeen = 0
    private var headIsIgnored = false
    /// A padded DATA frame whose first octet, its padding, is not yet seen.
    private var awaitsPadding = 0

    init(isServer: Bool, limits: HTTP2AbuseLimits) {
        self.isServer = isServer
        continuations = limits.continuations
        skip = isServer ? Self.prefaceOctets : 0
    }

    enum Offence: BitwiseCopyable {
        case abuse(HTTP2Guard.Abuse)
        /// PRIORITY on stream 0 (RFC 9113, section 6.3), which the library passes over.
        case malformed
    }

    /// - Returns: what ends the connection, and how many octets lie before the frame that did it.
    mutating func read(
        _ octets: ByteView, _ guardian: inout HTTP2Guard, now: Instant
    ) -> (offence: Offence, before: Int)? {
        var at = 0
        while at < octets.count {
            if awaitsPadding > 0 {
                let padding = Int(octets[at])
                let isEmpty = padding + 1 >= awaitsPadding
                awaitsPadding = 0
                if isEmpty {
                    if let abuse = guardian.controlFrame(now: now) { return (.abuse(abuse), at) }
                } else {
                    guardian.contentReceived()
                }
            }
            if skip > 0 {
                let passed = min(skip, octets.count - at)
                skip -= passed
                at += passed
                continue
            }
            if have == 0, at + Self.headerOctets <= octets.count {
                // As nearly all come: whole.
                header = octets.word(at: at).byteSwapped
                lastHeaderOctet = octets[at + 8]
                if let offence = frame(&guardian, now) { return (offence, at) }
                at += Self.headerOctets
                continue
            }
            let byte = octets[at]
            if have < 8 { header = header << 8 | UInt64(byte) } else { lastHeaderOctet = byte }
            have += 1
            at += 1
            guard have == Self.headerOctets else { continue }
            have = 0
            if let offence = frame(&guardian, now) { return (offence, max(0, at - Self.headerOctets)) }
        }
        return nil
    }

    private mutating func frame(_ guardian: inout HTTP2Guard, _ now: Instant) -> Offence? {
        let length = Int(header >> 40)
        let kind = UInt8(truncatingIfNeeded: header >> 32)
        let flags = UInt8(truncatingIfNeeded: header >> 24)
        let stream = (UInt32(truncatingIfNeeded: header & 0xFF_FFFF) << 8 | UInt32(lastHeaderOctet)) & 0x7FFF_FFFF
        header = 0
        skip = length
        if kind == Kind.priority, stream == 0 { return .malformed }
        return charge(kind, flags, stream, length, &guardian, now).map { .abuse($0) }
    }

    private mutating func charge(
        _ kind: UInt8, _ flags: UInt8, _ stream: UInt32, _ length: Int, _ guardian: inout HTTP2Guard, _ now: Instant
    ) -> HTTP2Guard.Abuse? {
        switch kind {
        case Kind.data:
            // A request may end so once, and its head has earned that back; on streams that are over it is only noise.
            if flags & Flag.endStream != 0, !isServer || length > 0 { return nil }
            if length == 0 { return guardian.controlFrame(now: now) }
            if flags & Flag.padded != 0 { awaitsPadding = length } else { guardian.contentReceived() }
            return nil
        case Kind.headers:
            continuationsSeen = 0
            headIsIgnored = isServer && stream <= lastStream
            if headIsIgnored {
                // Trailers, which come once a stream, or a head on a stream that is over.
                return guardian.ignoredHead(octets: length, now: now)
            }
            if isServer {
                lastStream = stream
                guardian.streamOpened()
            }
            return nil
        case Kind.continuation:
            continuationsSeen += 1
            if continuationsSeen > continuations { return .continuations }
            return headIsIgnored ? guardian.ignoredHead(octets: length, now: now) : nil
        case Kind.resetStream: return guardian.peerReset(now: now)
        case Kind.windowUpdate: return guardian.windowUpdate(now: now)
        default: return guardian.controlFrame(now: now)
        }
    }
}
