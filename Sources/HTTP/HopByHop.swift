import Core

/// Which fields belong to one connection and are not forwarded (RFC 9110, section 7.6.1).
public enum HopByHop {
    /// Fields that never cross the gateway, whatever Connection says. The gateway writes its own `Connection`,
    /// `Transfer-Encoding`, `Upgrade` and, when the client accepts trailers, `TE: trailers`. `Trailer` is not among
    /// them: it announces fields of the content, which cross (RFC 9110, section 6.6.2). `Proxy-Authenticate` and
    /// `Proxy-Authorization` are not either: this is a gateway, not the client's proxy, and does not consume them.
    @inlinable public static func isNeverForwarded(_ name: FieldName) -> Bool {
        switch name {
        case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .upgrade, .http2Settings: true
        default: false
        }
    }

    /// Fields that a peer cannot have removed by naming them in Connection: without them the message would mean
    /// something else, or the backend would miss what the gateway says about the client.
    @inlinable public static func cannotBeNominated(_ name: FieldName) -> Bool {
        switch name {
        case .host, .contentLength, .date, .via, .forwarded, .xForwardedFor, .xForwardedProto, .xForwardedHost,
            .xForwardedPort, .xForwardedClientCert, .xRequestId, .authorization, .trailer:
            true
        default: false
        }
    }

    /// Whether `line` stays behind.
    /// - Parameters:
    ///   - head: the octets that the line and the table count from.
    ///   - connectionNamesFields: the head's member of that name; when false, only the line's name is looked at.
    @inline(__always) public static func drops(
        _ line: FieldLine, of fields: borrowing FieldTable, in head: ByteView, connectionNamesFields: Bool
    ) -> Bool {
        if isNeverForwarded(line.name) { return true }
        guard connectionNamesFields, !cannotBeNominated(line.name) else { return false }
        return isNominated(line.name(in: head), by: fields, in: head)
    }

    /// Whether a Connection field lists this name.
    public static func isNominated(_ name: ByteView, by fields: borrowing FieldTable, in head: ByteView) -> Bool {
        for i in 0..<fields.count where fields[i].name == .connection {
            var options = ListElements(fields[i].value(in: head))
            while let option = options.next() {
                if option.equalsIgnoringCase(name) { return true }
            }
        }
        return false
    }
}

extension RequestHead {
    /// Whether the field is not forwarded as it came: hop-by-hop, or a Content-Length that has to be written anew; `view`
    /// begins at the head's first octet.
    @inline(__always) public func drops(_ line: FieldLine, in view: ByteView) -> Bool {
        if line.name == .contentLength, rewritesLength { return true }
        return HopByHop.drops(line, of: fields, in: view, connectionNamesFields: connectionNamesFields)
    }
}

extension ResponseHead {
    /// As in ``RequestHead``; besides, a 1xx and a 204 lose their Content-Length, which they must not have (RFC 9110,
    /// section 8.6).
    @inline(__always) public func drops(_ line: FieldLine, in view: ByteView) -> Bool {
        if line.name == .contentLength, rewritesLength || status < 200 || status == 204 { return true }
        return HopByHop.drops(line, of: fields, in: view, connectionNamesFields: connectionNamesFields)
    }
}
