import Core
import Glibc

/// A key that session tickets are sealed with: 80 octets of chance, by no means derived from anything.
public struct TicketKey: BitwiseCopyable, Sendable {
    /// Octets of one: name, AES-256 key and HMAC key in this order.
    public static let octets = 80

    /// Tells which key sealed a ticket; 16 octets, not secret.
    public var name: (UInt64, UInt64)
    /// AES-256, 32 octets.
    public var cipherKey: (UInt64, UInt64, UInt64, UInt64)
    /// HMAC-SHA256, 32 octets.
    public var macKey: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter view: exactly ``octets``.
    public init(_ view: ByteView) {
        precondition(view.count == Self.octets, "a ticket key has \(Self.octets) octets")
        name = (view.word(at: 0), view.word(at: 8))
        cipherKey = (view.word(at: 16), view.word(at: 24), view.word(at: 32), view.word(at: 40))
        macKey = (view.word(at: 48), view.word(at: 56), view.word(at: 64), view.word(at: 72))
    }
}

/// The ticket keys in force, common to all workers: the newest seals, each opens.
public struct TicketKeys: BitwiseCopyable, Sendable {
    public static let most = 3

    public private(set) var count: Int
    private var first: TicketKey
    private var second: TicketKey
    private var third: TicketKey

    /// - Parameter octets: one to three times ``TicketKey/octets``, the newest key first.
    public init(_ octets: ByteView) {
        let size = TicketKey.octets
        precondition(
            octets.count % size == 0 && 1...Self.most ~= octets.count / size, "one to \(Self.most) whole ticket keys")
        count = octets.count / size
        first = TicketKey(octets[0..<size])
        second = count > 1 ? TicketKey(octets[size..<(2 * size)]) : first
        third = count > 2 ? TicketKey(octets[(2 * size)..<(3 * size)]) : first
    }

    public var newest: TicketKey { first }

    public subscript(index: Int) -> TicketKey {
        precondition(index >= 0 && index < count, "there are \(count) ticket keys")
        return index == 0 ? first : index == 1 ? second : third
    }

    /// Which key has this name; 0 is the newest.
    func index(named name: UnsafePointer<UInt8>) -> Int? {
        for index in 0..<count {
            var own = self[index].name
            if withUnsafeBytes(of: &own, { memcmp($0.baseAddress!, name, 16) == 0 }) { return index }
        }
        return nil
    }
}
