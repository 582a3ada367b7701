import Config
import Core

/// Which scheme a request came by: its listener's, TLS or not.
public enum RequestScheme: UInt8, BitwiseCopyable, Sendable {
    case http, https

    public var text: StaticString { self == .http ? "http" : "https" }
    /// RFC 9110, sections 4.2.1 and 4.2.2.
    public var port: UInt16 { self == .http ? 80 : 443 }
}

/// RequestRedirect: a response's status and Location from the request's head.
public enum RedirectFilter {
    /// What the Location is made of where the filter does not say.
    public struct Request {
        public var scheme: RequestScheme
        /// Without port; empty for HTTP/1.0 without Host, which gets a Location without authority.
        public var host: ByteView
        public var listenerPort: UInt16
        /// As it was matched.
        public var path: ByteView
        /// What follows the `?`; nil: no query.
        public var query: ByteView?
        public var matchedPrefixLength: UInt32

        public init(
            scheme: RequestScheme, host: ByteView, listenerPort: UInt16, path: ByteView, query: ByteView?,
            matchedPrefixLength: UInt32
        ) {
            self.scheme = scheme
            self.host = host
            self.listenerPort = listenerPort
            self.path = path
            self.query = query
            self.matchedPrefixLength = matchedPrefixLength
        }
    }

    /// Appends the value of Location. The status is ``RedirectConfig/statusCode``.
    ///
    /// The port (HTTPRequestRedirectFilter.port): the filter's; else its scheme's well-known one; else the listener's. It is
    /// left out where it is the default of the Location's scheme.
    public static func writeLocation(
        _ config: RedirectConfig, in snapshot: Snapshot, _ request: Request, to buffer: inout ByteBuffer
    ) {
        let hostname = config.hostname.isEmpty ? request.host : snapshot.text(config.hostname)
        if !hostname.isEmpty {
            let scheme = config.scheme.isEmpty ? ByteView(request.scheme.text) : snapshot.text(config.scheme)
            let wellKnown: UInt16 =
                scheme.equals("http") ? RequestScheme.http.port : scheme.equals("https") ? RequestScheme.https.port : 0
            var port = config.port
            if port == 0 { port = config.scheme.isEmpty || wellKnown == 0 ? request.listenerPort : wellKnown }
            buffer.append(scheme)
            buffer.append("://")
            buffer.append(hostname)
            if port != wellKnown {
                buffer.append(byte: ASCII.colon)
                buffer.append(decimal: UInt64(port))
            }
        }
        PathModifier.write(
            config.path, in: snapshot, path: request.path, matchedPrefixLength: request.matchedPrefixLength, to: &buffer
        )
        if let query = request.query {
            buffer.append(byte: ASCII.question)
            buffer.append(query)
        }
    }
}
