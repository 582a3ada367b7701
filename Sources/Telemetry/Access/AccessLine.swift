import Core

/// Writes one record as one line, LF included. Pure; allocates nothing when the buffer has ``longestLine(valueLimit:)``
/// octets of room.
struct AccessLine: ~Copyable {
    let format: AccessLogFormat
    /// The most octets of one escaped value.
    let valueLimit: Int
    private var clock = Timestamp()

    /// Values of a record that a peer or a manifest chose the length of.
    private static let values = 15
    /// Everything else of a line: keys, numbers, addresses, quotes, cut marks.
    private static let frame = 1024

    init(format: AccessLogFormat, valueLimit: Int) {
        self.format = format
        self.valueLimit = valueLimit
    }

    /// Of the names of policies, which nobody sends: so that a line on a pipe keeps within what is written at once.
    private var auditsLimit: Int { valueLimit / 2 }

    var longestLine: Int { Self.longestLine(valueLimit: valueLimit) }
    static func longestLine(valueLimit: Int) -> Int { frame + values * valueLimit }

    mutating func write(_ record: borrowing AccessRecord, to buffer: inout ByteBuffer) {
        switch format {
        case .text: writeText(record, to: &buffer)
        case .json: writeJSON(record, to: &buffer)
        }
    }

    private func version(_ record: borrowing AccessRecord) -> StaticString {
        if record.majorVersion == 2 { return "HTTP/2" }
        return record.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1"
    }

    // MARK: text

    private mutating func writeText(_ record: borrowing AccessRecord, to buffer: inout ByteBuffer) {
        buffer.append(byte: 0x5B)
        clock.write(record.start, to: &buffer)
        buffer.append("] ")
        word(record.method, to: &buffer)
        value(record.target, to: &buffer)
        if record.isHTTP {
            buffer.append(byte: ASCII.space)
            buffer.append(version(record))
            buffer.append(byte: ASCII.space)
        } else {
            buffer.append(" - ")
        }
        buffer.append(decimal: UInt64(record.status))
        buffer.append(byte: ASCII.space)
        buffer.append(record.reason.text)
        buffer.append(byte: ASCII.space)
        buffer.append(decimal: record.bodyReceived)
        buffer.append(byte: ASCII.space)
        buffer.append(decimal: record.bodySent)
        buffer.append(byte: ASCII.space)
        buffer.append(milliseconds: record.duration)
        buffer.append(byte: ASCII.space)
        if record.upstreamHead.nanoseconds < 0 {
            buffer.append(byte: 0x2D)
        } else {
            buffer.append(milliseconds: record.upstreamHead)
        }
        spaced(record.forwardedFor, to: &buffer)
        spaced(record.userAgent, to: &buffer)
        spaced(record.requestID, to: &buffer)
        spaced(record.host, to: &buffer)
        buffer.append(byte: ASCII.space)
        if record.endpointName.isEmpty {
            address(record.endpoint, to: &buffer)
        } else {
            value(record.endpointName, to: &buffer)
        }
        buffer.append(byte: ASCII.space)
        record.peer.write(to: &buffer)
        buffer.append(byte: ASCII.space)
        word(record.scheme, to: &buffer)
        word(record.route, to: &buffer)
        word(record.rule, to: &buffer)
        word(record.backend, to: &buffer)
        buffer.append(decimal: UInt64(record.attempts))
        spaced(record.referer, to: &buffer)
        spaced(record.path, to: &buffer)
        if record.detail.isEmpty {
            buffer.append(" \"-\"")
        } else {
            spaced(record.detail, to: &buffer)
            audits(record.audits, to: &buffer)
        }
        buffer.append(byte: ASCII.lf)
    }

    /// A quoted value; `"-"` for none, as Envoy writes it.
    private func value(_ text: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(quoted: text.isEmpty ? ByteView("-") : text, limit: valueLimit)
    }

    private func spaced(_ text: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(byte: ASCII.space)
        value(text, to: &buffer)
    }

    /// A value that is usually a plain word, and a space: bare when it holds nothing but letters, digits and `-._/:*`.
    private func word(_ text: ByteView, to buffer: inout ByteBuffer) {
        var plain = text.count <= valueLimit
        for i in text.indices where plain {
            let byte = text[i]
            plain = ASCII.isAlpha(byte) || (byte >= 0x2D && byte <= 0x3A) || byte == 0x5F || byte == 0x2A
        }
        if text.isEmpty {
            buffer.append(byte: 0x2D)
        } else if plain {
            buffer.append(text)
        } else {
            value(text, to: &buffer)
        }
        buffer.append(byte: ASCII.space)
    }

    /// ` audit=namespace/name`, where there is one; quoted where there are several.
    private func audits(_ names: ByteView, to buffer: inout ByteBuffer) {
        guard !names.isEmpty else { return }
        buffer.append(" audit=")
        if names.firstIndex(of: ASCII.comma) == nil, names.count <= auditsLimit {
            buffer.append(names)
        } else {
            buffer.append(quoted: names, limit: auditsLimit)
        }
    }

    private func address(_ address: SocketAddress?, to buffer: inout ByteBuffer) {
        if let address {
            address.write(to: &buffer)
        } else {
            buffer.append(byte: 0x2D)
        }
    }

    // MARK: JSON

    private mutating func writeJSON(_ record: borrowing AccessRecord, to buffer: inout ByteBuffer) {
        buffer.append("{\"time\":\"")
        clock.write(record.start, to: &buffer)
        buffer.append("\"")
        json("method", record.method, to: &buffer)
        json("scheme", record.scheme, to: &buffer)
        json("host", record.host, to: &buffer)
        json("target", record.target, to: &buffer)
        json("path", record.path, to: &buffer)
        if record.isHTTP {
            buffer.append(",\"protocol\":\"")
            buffer.append(version(record))
            buffer.append("\"")
        } else {
            buffer.append(",\"protocol\":null")
        }
        buffer.append(",\"status\":")
        buffer.append(decimal: UInt64(record.status))
        buffer.append(",\"reason\":\"")
        buffer.append(record.reason.text)
        buffer.append("\",\"bytes_received\":")
        buffer.append(decimal: record.bodyReceived)
        buffer.append(",\"bytes_sent\":")
        buffer.append(decimal: record.bodySent)
        buffer.append(",\"duration_ms\":")
        buffer.append(milliseconds: record.duration)
        buffer.append(",\"upstream_ms\":")
        if record.upstreamHead.nanoseconds < 0 {
            buffer.append("null")
        } else {
            buffer.append(milliseconds: record.upstreamHead)
        }
        buffer.append(",\"peer\":\"")
        record.peer.write(to: &buffer)
        buffer.append("\"")
        json("route", record.route, to: &buffer)
        json("rule", record.rule, to: &buffer)
        json("backend", record.backend, to: &buffer)
        if !record.endpointName.isEmpty {
            json("endpoint", record.endpointName, to: &buffer)
        } else if let endpoint = record.endpoint {
            buffer.append(",\"endpoint\":\"")
            endpoint.write(to: &buffer)
            buffer.append("\"")
        } else {
            buffer.append(",\"endpoint\":null")
        }
        buffer.append(",\"attempts\":")
        buffer.append(decimal: UInt64(record.attempts))
        json("detail", record.detail, to: &buffer)
        json("request_id", record.requestID, to: &buffer)
        json("user_agent", record.userAgent, to: &buffer)
        json("referer", record.referer, to: &buffer)
        json("x_forwarded_for", record.forwardedFor, to: &buffer)
        if !record.audits.isEmpty {
            buffer.append(",\"audit\":")
            buffer.append(json: record.audits, limit: auditsLimit)
        }
        buffer.append("}\n")
    }

    private func json(_ key: StaticString, _ text: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(",\"")
        buffer.append(key)
        buffer.append("\":")
        if text.isEmpty {
            buffer.append("null")
        } else {
            buffer.append(json: text, limit: valueLimit)
        }
    }
}
