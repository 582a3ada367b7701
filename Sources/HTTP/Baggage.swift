import Core

/// The `baggage` field (W3C Baggage, Recommendation 2024, section 3): `key=value;property, key=value`.
public enum Baggage {
    /// Octets of all members together that are handed on (section 3.3: at least 8192 must be).
    public static let longest = 8192

    /// The members of one field line, in their order.
    public struct Members {
        private var elements: ListElements

        public init(_ field: ByteView) { elements = ListElements(field) }

        public mutating func next() -> Member? {
            while let element = elements.next() {
                if let member = Member(element) { return member }
            }
            return nil
        }
    }

    public struct Member {
        public let key: ByteView
        /// As it is written, percent-encoding included.
        public let value: ByteView
        /// All of it, properties included.
        public let text: ByteView

        init?(_ text: ByteView) {
            let end = text.firstIndex(of: ASCII.semicolon) ?? text.count
            guard let equals = text.firstIndex(of: ASCII.equals), equals < end else { return nil }
            self.text = text
            key = text.upTo(equals).trimmed
            value = text[(equals + 1)..<end].trimmed
        }
    }

    /// Whether a text can stand as a member's value as it is (`baggage-octet`, without the percent sign).
    public static func canHold(_ value: ByteView) -> Bool {
        guard !value.isEmpty else { return false }
        for i in value.indices {
            switch value[i] {
            case 0x21, 0x23, 0x24, 0x26...0x2B, 0x2D...0x3A, 0x3C...0x5B, 0x5D...0x7E: continue
            default: return false
            }
        }
        return true
    }
}
