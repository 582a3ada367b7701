/// A ClientHello, for tests that need no more of TLS than its beginning.
public enum HelloOctets {
    /// With a server name (RFC 8446, section 4.1.2; RFC 6066, section 3) and nothing else.
    public static func hello(_ name: String) -> [UInt8] {
        func counted(_ octets: [UInt8], _ width: Int) -> [UInt8] {
            (0..<width).map { UInt8(truncatingIfNeeded: octets.count >> (8 * (width - 1 - $0))) } + octets
        }
        let names = counted([0] + counted(Array(name.utf8), 2), 2)
        let extensions = counted([0, 0] + counted(names, 2), 2)
        let body = [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + counted([0x13, 0x01], 2) + [1, 0] + extensions
        return [22, 3, 1] + counted([1] + counted(body, 3), 2)
    }
}
