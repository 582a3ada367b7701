import Core

/// What a client keeps of a session that persists: which backendRef and which endpoint served it, and since when. It names
/// both by the hashes of their names, never by position, so it means the same after a reload; and it is signed with a key
/// that clients do not know, so that nobody chooses a version for himself or makes a session last longer.
///
///     backendRef 8 · endpoint 8 · begun 4 · last used 4 · signature 8        in hexadecimal digits, 64 of them
public struct SessionToken: Equatable, BitwiseCopyable, Sendable {
    /// Octets of the text.
    public static let length = 64

    /// ``BackendConfig/identity``.
    public var backend: UInt64
    /// ``EndpointConfig/identity``; 0: none was reached.
    public var endpoint: UInt64
    /// Seconds since 1970.
    public var begun: UInt32
    public var lastUsed: UInt32

    public init(backend: UInt64, endpoint: UInt64, begun: UInt32, lastUsed: UInt32) {
        self.backend = backend
        self.endpoint = endpoint
        self.begun = begun
        self.lastUsed = lastUsed
    }

    /// Reads what a client sent.
    /// - Returns: nil for everything that ``write(to:key:)`` has not written with the same key.
    public init?(_ text: ByteView, key: SipHash.Key) {
        guard text.count == Self.length else { return nil }
        guard let backend = Self.word(text, 0), let endpoint = Self.word(text, 16), let times = Self.word(text, 32),
            let signature = Self.word(text, 48)
        else { return nil }
        self.init(
            backend: backend, endpoint: endpoint, begun: UInt32(truncatingIfNeeded: times >> 32),
            lastUsed: UInt32(truncatingIfNeeded: times))
        guard signature == self.signature(key) else { return nil }
    }

    public func write(to out: inout ByteBuffer, key: SipHash.Key) {
        Self.write(backend, to: &out)
        Self.write(endpoint, to: &out)
        Self.write(times, to: &out)
        Self.write(signature(key), to: &out)
    }

    /// Whether the session is over at `now` (seconds since 1970).
    /// - Parameters:
    ///   - absolute: seconds after which it ends in any case; 0: never.
    ///   - idle: seconds without a request after which it ends; 0: never.
    public func isOver(now: UInt32, absolute: UInt32, idle: UInt32) -> Bool {
        // A clock that was set back makes nobody's session younger than new.
        absolute > 0 && now >= begun && now - begun >= absolute
            || idle > 0 && now >= lastUsed && now - lastUsed >= idle
    }

    private var times: UInt64 { UInt64(begun) << 32 | UInt64(lastUsed) }

    private func signature(_ key: SipHash.Key) -> UInt64 {
        var hash = SipHash(key)
        hash.add(word: backend)
        hash.add(word: endpoint)
        hash.add(word: times)
        return hash.value
    }

    private static func write(_ word: UInt64, to out: inout ByteBuffer) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift -= 4
            out.append(byte: ASCII.hexDigit(UInt8(truncatingIfNeeded: word >> shift) & 15))
        }
    }

    private static func word(_ text: ByteView, _ start: Int) -> UInt64? {
        var word: UInt64 = 0
        for i in start..<(start + 16) {
            let byte = text[i]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            word = word << 4 | UInt64(digit)
        }
        return word
    }
}
