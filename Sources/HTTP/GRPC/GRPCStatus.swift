import Core

/// The status of a gRPC call, where the gateway itself answers one (gRPC, "Status codes and their use").
public enum GRPCStatus: UInt8, BitwiseCopyable, Sendable {
    case unknown = 2
    case deadlineExceeded = 4
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case unauthenticated = 16

    /// Whether a request is one of gRPC's: by its content type, whatever route it takes.
    public static func isGRPC(_ fields: borrowing FieldTable, _ head: ByteView) -> Bool {
        guard let line = fields.first(.contentType) else { return false }
        let value = line.value(in: head)
        let name = ByteView("application/grpc")
        guard value.count >= name.count, value.upTo(name.count).equalsIgnoringCase(name) else { return false }
        // `application/grpc-web` is another protocol.
        return value.count == name.count || value[name.count] == UInt8(ascii: "+")
            || value[name.count] == ASCII.semicolon
    }

    /// What an answer with this status of HTTP means to a client of gRPC (gRPC, "HTTP to gRPC status code mapping"); that
    /// the gateway has waited in vain is said as what it is.
    public init(answering status: UInt16, isTimeout: Bool) {
        self =
            switch status {
            case 400: .internal
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 504 where isTimeout: .deadlineExceeded
            // Of this gateway's own limits: clients try what is unavailable again at once, and must not.
            case 429: .resourceExhausted
            case 502, 503, 504: .unavailable
            default: .unknown
            }
    }

    /// The number under `grpc-status` in whole field lines such as trailers; nil: it is not there.
    public static func number(in lines: ByteView) -> UInt8? {
        var at = 0
        while at < lines.count {
            let end = lines.firstIndex(of: ASCII.lf, from: at) ?? lines.count
            let line = lines[at..<end]
            at = end + 1
            guard let colon = line.firstIndex(of: ASCII.colon), line.upTo(colon).equalsIgnoringCase("grpc-status")
            else {
                continue
            }
            let value = line.from(colon + 1)
            let text = value.count > 0 && value[value.count - 1] == ASCII.cr ? value.upTo(value.count - 1) : value
            return text.trimmed.decimal.map { UInt8(clamping: $0) }
        }
        return nil
    }

    /// Appends the whole answer: a response without content whose head is its trailers.
    /// - Parameters:
    ///   - web: the client speaks gRPC-Web.
    ///   - fields: whole field lines with their CRLF.
    public func writeAnswer(
        _ text: ByteView, in web: GRPCWeb? = nil, fields: ByteView = .empty, date: inout HTTPDate,
        unixSeconds: Int64, to out: inout ByteBuffer
    ) {
        Self.writeAnswer(
            rawValue, text, in: web, fields: fields, date: &date, unixSeconds: unixSeconds, to: &out)
    }

    /// The same with any status that gRPC has, and any text.
    public static func writeAnswer(
        _ status: UInt8, _ text: ByteView, in web: GRPCWeb? = nil, fields: ByteView = .empty, date: inout HTTPDate,
        unixSeconds: Int64, to out: inout ByteBuffer
    ) {
        StatusLine.write(status: 200, to: &out)
        out.append("server: sluice\r\ndate: ")
        date.write(unixSeconds: unixSeconds, to: &out)
        out.append("\r\ncontent-type: ")
        if let web {
            web.writeType(to: &out)
            out.append("+proto")
        } else {
            out.append("application/grpc")
        }
        out.append("\r\ncontent-length: 0\r\n")
        out.append(fields)
        out.append("grpc-status: ")
        out.append(decimal: UInt64(status))
        out.append("\r\ngrpc-message: ")
        write(message: text.upTo(min(text.count, longestMessage)), to: &out)
        out.append("\r\n\r\n")
    }

    /// `grpc-message` is percent-encoded: what is no printable ASCII, and `%` itself (gRPC over HTTP/2, "Responses").
    private static func write(message: ByteView, to out: inout ByteBuffer) {
        for index in message.indices {
            let byte = message[index]
            if byte >= 0x20, byte <= 0x7E, byte != 0x25 {
                out.append(byte: byte)
            } else {
                out.append(byte: 0x25)
                if byte < 0x10 { out.append("0") }
                out.append(hex: UInt64(byte))
            }
        }
    }

    /// Octets of a text that goes out as `grpc-message`; what follows is cut off.
    public static let longestMessage = 1024

    /// What a status of gRPC is in HTTP, for clients that speak only that; Envoy's table.
    public static func httpStatus(of status: UInt8) -> UInt16 {
        switch status {
        case 0: 200
        case 1: 499
        case 3, 9, 11: 400
        case 4: 504
        case 5: 404
        case 6, 10: 409
        case 7: 403
        case 8: 429
        case 12: 501
        case 14: 503
        case 16: 401
        default: 500
        }
    }
}
