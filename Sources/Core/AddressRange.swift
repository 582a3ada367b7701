/// A range of addresses, as CIDR notation has it (RFC 4632, section 3.1; RFC 4291, section 2.3). IPv4 is kept as IPv6, as in
/// ``IPAddress``, so that one comparison serves both.
public struct AddressRange: Hashable, BitwiseCopyable, Sendable {
    /// The first address: bits behind the prefix are zero.
    public let base: IPAddress
    /// Of all 128 bits.
    public let prefixLength: UInt8

    /// - Parameter prefixLength: of the address's own family: 0–32 for IPv4, 0–128 for IPv6. Nil past that.
    public init?(_ address: IPAddress, prefixLength: Int) {
        let length = address.isV4 ? prefixLength + 96 : prefixLength
        guard prefixLength >= 0, length <= 128 else { return nil }
        self.prefixLength = UInt8(length)
        base = IPAddress(
            high: address.high & Self.mask(length), low: address.low & Self.mask(length - 64))
    }

    /// The addresses that share `bits` leading bits with `address`, whichever its family: who counts clients by their
    /// network. Never longer than the address.
    public init(around address: IPAddress, v4Bits: Int, v6Bits: Int) {
        let bits = address.isV4 ? min(max(v4Bits, 0), 32) : min(max(v6Bits, 0), 128)
        guard let range = AddressRange(address, prefixLength: bits) else {
            preconditionFailure("a prefix past its end")
        }
        self = range
    }

    /// Reads `10.0.0.0/8`, `fd00::/8`; an address alone is a range of one. Bits behind the prefix may be set, as API
    /// servers and Envoy allow; they count for nothing. Nil when it is no range.
    public init?(_ text: ByteView) {
        guard let slash = text.firstIndex(of: ASCII.slash) else {
            guard let address = IPAddress(text) else { return nil }
            self.init(address, prefixLength: address.isV4 ? 32 : 128)
            return
        }
        let length = text.from(slash + 1)
        guard let address = IPAddress(text.upTo(slash)), (1...3).contains(length.count),
            length.count == 1 || length[0] != 0x30, let bits = length.decimal
        else { return nil }
        // `::ffff:10.0.0.0/104` is IPv4 too, and its bits are counted as they are written.
        let isMapped = address.isV4 && text.firstIndex(of: ASCII.colon) != nil
        if isMapped, bits < 96 { return nil }
        self.init(address, prefixLength: isMapped ? Int(bits) - 96 : Int(bits))
    }

    public init?(_ text: String) {
        guard let range = text.withView({ AddressRange($0) }) else { return nil }
        self = range
    }

    public func contains(_ address: IPAddress) -> Bool {
        // `::/0` is all of IPv6, and IPv4 lies in it only by the form that it is kept in.
        if address.isV4, prefixLength < 96 { return false }
        let length = Int(prefixLength)
        return (address.high ^ base.high) & Self.mask(length) == 0
            && (address.low ^ base.low) & Self.mask(length - 64) == 0
    }

    /// The leading `length` of 64 bits; below 0 none, past 64 all.
    private static func mask(_ length: Int) -> UInt64 {
        length <= 0 ? 0 : length >= 64 ? .max : .max << UInt64(64 - length)
    }
}
