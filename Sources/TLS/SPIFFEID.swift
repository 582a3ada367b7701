import Core

/// A workload's name in a certificate: `spiffe://TRUST-DOMAIN/PATH` (the SPIFFE-ID specification, section 2), in meshes
/// with the path `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
public struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    /// Octets of a whole id, and of its trust domain (section 2.3).
    public static let limit = 2048
    public static let trustDomainLimit = 255
    private static let scheme: StaticString = "spiffe://"

    public let trustDomain: String
    /// With its first slash; empty where the id is a trust domain's own.
    public let path: String
    /// Of `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`; nil where the path has another form.
    public let workload: Workload?

    public struct Workload: Hashable, Sendable {
        public let namespace: String
        public let serviceAccount: String
    }

    /// Nil for anything that the specification does not allow; nothing is normalised.
    public init?(_ text: ByteView) {
        guard text.count <= Self.limit, text.hasPrefix(ByteView(Self.scheme)) else { return nil }
        let rest = text.from(Self.scheme.utf8CodeUnitCount)
        let slash = rest.firstIndex(of: ASCII.slash) ?? rest.count
        let domain = rest.upTo(slash)
        guard Self.isTrustDomain(domain), let segments = Self.segments(rest.from(slash)) else { return nil }
        trustDomain = domain.string
        path = rest.from(slash).string
        workload =
            segments.count == 4 && segments[0] == "ns" && segments[2] == "sa"
            ? Workload(namespace: segments[1], serviceAccount: segments[3]) : nil
    }

    public init?(_ text: String) {
        guard let id = text.withView({ SPIFFEID($0) }) else { return nil }
        self = id
    }

    /// A workload's; nil where a part is not allowed.
    public init?(trustDomain: String, namespace: String, serviceAccount: String) {
        self.init("spiffe://\(trustDomain)/ns/\(namespace)/sa/\(serviceAccount)")
        guard workload != nil else { return nil }
    }

    public var description: String { "spiffe://\(trustDomain)\(path)" }

    /// Lower-case letters, digits, dots, dashes and underscores (section 2.1); so no port, no user and no escapes.
    public static func isTrustDomain(_ text: ByteView) -> Bool {
        guard 1...trustDomainLimit ~= text.count else { return false }
        return text.indices.allSatisfy { index in
            let octet = text[index]
            return 0x61...0x7A ~= octet || ASCII.isDigit(octet) || octet == ASCII.dot || octet == 0x2D || octet == 0x5F
        }
    }

    /// The parts of a path (section 2.2); nil where one is empty, a dot segment, or has a character that is not allowed.
    private static func segments(_ path: ByteView) -> [String]? {
        guard !path.isEmpty else { return [] }
        var found: [String] = []
        var start = 1
        while start <= path.count {
            let end = path.firstIndex(of: ASCII.slash, from: start) ?? path.count
            let segment = path[start..<end]
            guard !segment.isEmpty, !segment.equals("."), !segment.equals("..") else { return nil }
            for index in segment.indices {
                let octet = segment[index]
                guard
                    ASCII.isAlpha(octet) || ASCII.isDigit(octet) || octet == ASCII.dot || octet == 0x2D
                        || octet == 0x5F
                else { return nil }
            }
            found.append(segment.string)
            start = end + 1
        }
        return found
    }
}
