import Core

/// What ``ChunkedDecoder`` found next. Ranges and counts are octets of the view it was given; drop `consumed` of them
/// and call again with what is left, and with more when it says so.
public enum ChunkedStep: Equatable, Sendable {
    /// Octets of the content, as they lie in the view; drop up to the range's end.
    case data(Range<Int>)
    /// Drop `consumed` octets; nothing more can be said before others arrive.
    case needMore(consumed: Int)
    /// The body is over. The trailer section, its final empty line included, is `section` (that line alone without any);
    /// ``ChunkedDecoder/trailers`` counts its offsets from the section's first octet. Drop up to the section's end.
    case end(section: Range<Int>)
    /// The framing is broken: answer 400 (or 502 to a response) and close; nothing behind it can be trusted.
    case refused(ChunkedRefusal)

    /// How many octets of the view are done with.
    public var consumed: Int {
        switch self {
        case .data(let range): range.upperBound
        case .needMore(let consumed): consumed
        case .end(let section): section.upperBound
        case .refused: 0
        }
    }
}

/// Why a chunked body was refused.
public enum ChunkedRefusal: Equatable, Error, BitwiseCopyable, Sendable {
    case missingSize, illegalSize, sizeTooLong, illegalExtension, sizeLineTooLong, bareCarriageReturn, bareLineFeed
    case missingCRLFAfterData, tooMuchOverhead, trailersTooLarge, tooManyTrailers
    case illegalTrailer(HeadRefusal)

    /// One line for the answer's body and the log.
    public var reason: StaticString {
        switch self {
        case .missingSize: "chunk without a size"
        case .illegalSize: "illegal octet in a chunk size"
        case .sizeTooLong: "chunk size too long"
        case .illegalExtension: "malformed chunk extension"
        case .sizeLineTooLong: "chunk-size line too long"
        case .bareCarriageReturn: "CR without LF in chunked framing"
        case .bareLineFeed: "LF without CR in chunked framing"
        case .missingCRLFAfterData: "chunk data without CRLF"
        case .tooMuchOverhead: "chunked framing outweighs its content"
        case .trailersTooLarge: "trailer section too large"
        case .tooManyTrailers: "too many trailer fields"
        case .illegalTrailer(let refusal): refusal.reason
        }
    }

    /// Of the answer to a request with such a body.
    public var status: UInt16 {
        switch self {
        case .trailersTooLarge, .tooManyTrailers: 431
        default: 400
        }
    }
}

/// Limits of a chunked body.
public struct ChunkedLimits: Equatable, BitwiseCopyable, Sendable {
    /// Octets of a chunk-size line with its extensions and CRLF.
    public var sizeLine: Int
    /// Octets of the trailer section with its final empty line.
    public var trailers: Int
    /// Trailer fields.
    public var trailerFields: Int

    @inlinable public init(sizeLine: Int = 4096, trailers: Int = 8192, trailerFields: Int = 100) {
        self.sizeLine = sizeLine
        self.trailers = trailers
        self.trailerFields = trailerFields
    }

    /// Digits of a size. Fifteen are 60 bits: adding any body offset cannot overflow 64.
    public static let sizeDigits = 15
    /// Octets of size lines that a body may have beyond what its content justifies (16 octets a chunk and twice the
    /// content): one-octet chunks with long extensions would cost us far more than their sender.
    public static let overhead = 16 * 1024
}
