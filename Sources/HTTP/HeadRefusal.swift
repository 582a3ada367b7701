/// Why a head was refused: the first offence in the order of the octets.
public enum HeadRefusal: UInt8, Error, BitwiseCopyable, Sendable, CaseIterable {
    // The first line (RFC 9112, sections 2.2, 3 and 4).
    case malformedRequestLine, malformedVersion, unsupportedVersion, http2Preface, requestLineTooLong
    case malformedStatusLine
    // The target (RFC 9112, section 3.2).
    case illegalTarget, fragmentInTarget, unsupportedScheme, illegalAuthority, targetFormNotForMethod
    // Lines in general (RFC 9112, sections 2.2 and 5).
    case bareCarriageReturn, bareLineFeed, tooManyEmptyLines, foldedLine, blankBeforeColon, emptyFieldName
    case illegalFieldName, fieldNameTooLong, illegalFieldValue, headTooLarge, tooManyFields
    // Host (RFC 9112, section 3.2).
    case missingHost, repeatedHost, illegalHost
    // Framing (RFC 9112, section 6).
    case illegalContentLength, conflictingContentLength, lengthAndTransferEncoding
    case unknownTransferCoding, malformedTransferEncoding, repeatedChunked, chunkedNotLast
    case transferEncodingInHTTP10, contentInConnect, contentWhereNoneMayBe
    // RFC 9110, section 10.1.1.
    case unknownExpectation
    // RFC 8441, section 4.
    case unknownConnectProtocol

    /// The status of the answer when a request is refused. A refused response always becomes a 502.
    public var status: UInt16 {
        switch self {
        case .unsupportedVersion, .http2Preface: 505
        case .requestLineTooLong: 414
        case .headTooLarge, .tooManyFields, .fieldNameTooLong: 431
        case .unknownTransferCoding, .unknownConnectProtocol: 501
        case .unknownExpectation: 417
        case .malformedStatusLine, .contentWhereNoneMayBe: 502
        case .malformedRequestLine, .malformedVersion, .illegalTarget, .fragmentInTarget, .unsupportedScheme,
            .illegalAuthority, .targetFormNotForMethod, .bareCarriageReturn, .bareLineFeed, .tooManyEmptyLines,
            .foldedLine, .blankBeforeColon, .emptyFieldName, .illegalFieldName, .illegalFieldValue, .missingHost,
            .repeatedHost, .illegalHost, .illegalContentLength, .conflictingContentLength,
            .lengthAndTransferEncoding, .malformedTransferEncoding, .repeatedChunked, .chunkedNotLast,
            .transferEncodingInHTTP10, .contentInConnect:
            400
        }
    }

    /// One line for the answer's body and the log.
    public var reason: StaticString {
        switch self {
        case .malformedRequestLine: "malformed request line"
        case .malformedVersion: "malformed HTTP version"
        case .unsupportedVersion: "HTTP version not supported"
        case .http2Preface: "HTTP/2 is not served here"
        case .requestLineTooLong: "request line too long"
        case .malformedStatusLine: "malformed status line"
        case .illegalTarget: "illegal octet in the request target"
        case .fragmentInTarget: "fragment in the request target"
        case .unsupportedScheme: "unsupported scheme in the request target"
        case .illegalAuthority: "illegal authority in the request target"
        case .targetFormNotForMethod: "this form of target is not for this method"
        case .bareCarriageReturn: "CR without LF"
        case .bareLineFeed: "LF without CR"
        case .tooManyEmptyLines: "too many empty lines before the request line"
        case .foldedLine: "folded field line"
        case .blankBeforeColon: "whitespace before the colon of a field"
        case .emptyFieldName: "empty field name"
        case .illegalFieldName: "illegal field name"
        case .fieldNameTooLong: "field name too long"
        case .illegalFieldValue: "control octet in a field value"
        case .headTooLarge: "head too large"
        case .tooManyFields: "too many fields"
        case .missingHost: "missing Host"
        case .repeatedHost: "more than one Host"
        case .illegalHost: "illegal Host"
        case .illegalContentLength: "illegal Content-Length"
        case .conflictingContentLength: "conflicting Content-Length"
        case .lengthAndTransferEncoding: "both Content-Length and Transfer-Encoding"
        case .unknownTransferCoding: "unknown transfer coding"
        case .malformedTransferEncoding: "malformed Transfer-Encoding"
        case .repeatedChunked: "chunked applied twice"
        case .chunkedNotLast: "chunked is not the last transfer coding"
        case .transferEncodingInHTTP10: "Transfer-Encoding in HTTP/1.0"
        case .contentInConnect: "CONNECT with content"
        case .contentWhereNoneMayBe: "content in a response that can have none"
        case .unknownExpectation: "unknown expectation"
        case .unknownConnectProtocol: "CONNECT to an unknown protocol"
        }
    }
}
