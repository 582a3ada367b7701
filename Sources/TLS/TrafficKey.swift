import COpenSSL
import Core
import Glibc

/// A suite of TLS 1.3 in OpenSSL's objects, which are looked up once for the process: doing it for each connection costs
/// more than what is done with them.
struct TrafficSuite: @unchecked Sendable {
    let cipher: OpaquePointer
    let digest: OpaquePointer
    let keyOctets: Int
    let secretOctets: Int
    /// Of the digest: what HMAC pads its key to.
    let blockOctets: Int

    private init?(cipher: String, digest: String, keyOctets: Int, secretOctets: Int, blockOctets: Int) {
        guard let cipher = EVP_CIPHER_fetch(nil, cipher, nil), let digest = EVP_MD_fetch(nil, digest, nil) else {
            return nil
        }
        self.cipher = cipher
        self.digest = digest
        self.keyOctets = keyOctets
        self.secretOctets = secretOctets
        self.blockOctets = blockOctets
    }

    private static let aes128 = TrafficSuite(
        cipher: "AES-128-GCM", digest: "SHA256", keyOctets: 16, secretOctets: 32, blockOctets: 64)
    private static let aes256 = TrafficSuite(
        cipher: "AES-256-GCM", digest: "SHA384", keyOctets: 32, secretOctets: 48, blockOctets: 128)
    private static let chaCha20 = TrafficSuite(
        cipher: "ChaCha20-Poly1305", digest: "SHA256", keyOctets: 32, secretOctets: 32, blockOctets: 64)

    /// - Parameter number: as on the wire (RFC 8446, appendix B.4). Nil for the suites with CCM.
    static func numbered(_ number: UInt16) -> TrafficSuite? {
        switch number {
        case 0x1301: aes128
        case 0x1302: aes256
        case 0x1303: chaCha20
        default: nil
        }
    }

    /// HMAC (RFC 2104) of a key that is no longer than the digest's block.
    /// - Parameter result: has room for the digest.
    func authenticate(
        _ text: ByteView, key: ByteView, _ context: OpaquePointer, to result: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        precondition(key.count <= blockOctets, "a key is at most a block")
        var length: UInt32 = 0
        for pass in 0..<2 {
            var pad = InlineArray<128, UInt8>(repeating: pass == 0 ? 0x36 : 0x5C)
            // The key can be told from it.
            defer { withUnsafeMutableBytes(of: &pad) { OPENSSL_cleanse($0.baseAddress, $0.count) } }
            for index in key.indices { pad[index] ^= key[index] }
            // Inside the text, outside what came of it.
            let message = pass == 0 ? text : ByteView(result, count: secretOctets)
            guard EVP_DigestInit_ex(context, digest, nil) == 1,
                pad.span.withUnsafeBufferPointer({ EVP_DigestUpdate(context, $0.baseAddress, blockOctets) }) == 1,
                EVP_DigestUpdate(context, message.base, message.count) == 1,
                EVP_DigestFinal_ex(context, result, &length) == 1
            else { return false }
        }
        return Int(length) == secretOctets
    }
}

/// A traffic secret as the handshake made it; 32 or 48 octets.
struct TrafficSecret {
    static let most = 48

    var octets: InlineArray<48, UInt8> = .init(repeating: 0)
    var count = 0

    init() {}

    /// - Parameter hexadecimal: as OpenSSL's key log writes it; anything else gives an empty secret.
    init(hexadecimal: ByteView) {
        guard hexadecimal.count % 2 == 0, hexadecimal.count / 2 <= Self.most else { return }
        for index in 0..<(hexadecimal.count / 2) {
            guard let high = ASCII.hexValue(hexadecimal[2 * index]),
                let low = ASCII.hexValue(hexadecimal[2 * index + 1])
            else { return }
            octets[index] = high << 4 | low
        }
        count = hexadecimal.count / 2
    }

    mutating func erase() {
        withUnsafeMutableBytes(of: &octets) { OPENSSL_cleanse($0.baseAddress, $0.count) }
        count = 0
    }
}

/// One direction of a TLS 1.3 connection after its handshake: the key, the nonces, the next keys (RFC 8446, sections 5.2,
/// 5.3 and 7.2). One EVP context holds all of OpenSSL's state; sealing and opening allocate nothing.
struct TrafficKey: ~Copyable {
    static let tagOctets = 16
    static let nonceOctets = 12

    private let suite: TrafficSuite
    private let context: OpaquePointer
    private let isSealing: Bool
    /// Memory of its own, to be overwritten at the end.
    private let secret: UnsafeMutablePointer<UInt8>
    private var fixedNonce: InlineArray<12, UInt8> = .init(repeating: 0)
    /// Records under this key; part of the nonce.
    private(set) var sequence: UInt64

    /// Whether the keys could be made; without them nothing can be sealed or opened.
    private(set) var isReady = false

    /// - Parameters:
    ///   - secret: as long as the suite's digest.
    ///   - sequence: records that were sealed under this secret before.
    init(_ suite: TrafficSuite, _ secret: TrafficSecret, isSealing: Bool, sequence: UInt64) {
        precondition(secret.count == suite.secretOctets, "a traffic secret is as long as its digest")
        guard let context = EVP_CIPHER_CTX_new() else { fatalError("out of memory") }
        self.suite = suite
        self.context = context
        self.isSealing = isSealing
        self.secret = .allocate(capacity: suite.secretOctets)
        for index in 0..<suite.secretOctets { self.secret[index] = secret.octets[index] }
        self.sequence = sequence
        isReady = takeKeys()
    }

    deinit {
        OPENSSL_cleanse(secret, suite.secretOctets)
        secret.deallocate()
        EVP_CIPHER_CTX_free(context)
    }

    /// The key and nonce that follow from the secret.
    private mutating func takeKeys() -> Bool {
        var key = InlineArray<64, UInt8>(repeating: 0)
        var nonce = InlineArray<64, UInt8>(repeating: 0)
        defer { withUnsafeMutableBytes(of: &key) { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard expand("tls13 key", suite.keyOctets, into: &key),
            expand("tls13 iv", Self.nonceOctets, into: &nonce)
        else { return false }
        for index in fixedNonce.indices { fixedNonce[index] = nonce[index] }
        return key.span.withUnsafeBufferPointer {
            EVP_CipherInit_ex(context, suite.cipher, nil, $0.baseAddress, nil, isSealing ? 1 : 0)
        } == 1
    }

    /// The next generation of keys (RFC 8446, section 7.2).
    mutating func update() -> Bool {
        var next = InlineArray<64, UInt8>(repeating: 0)
        guard expand("tls13 traffic upd", suite.secretOctets, into: &next) else { return false }
        for index in 0..<suite.secretOctets { secret[index] = next[index] }
        withUnsafeMutableBytes(of: &next) { OPENSSL_cleanse($0.baseAddress, $0.count) }
        sequence = 0
        return takeKeys()
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446, section 7.1). What is asked for is never longer than the digest,
    /// so the expansion is a single HMAC (RFC 5869, section 2.3).
    private func expand(_ label: StaticString, _ count: Int, into result: inout InlineArray<64, UInt8>) -> Bool {
        var text = InlineArray<40, UInt8>(repeating: 0)
        let name = ByteView(label)
        text[1] = UInt8(count)
        text[2] = UInt8(name.count)
        for index in name.indices { text[3 + index] = name[index] }
        // Then the empty context's length, and the number of the expansion's block.
        let size = 3 + name.count + 2
        text[size - 1] = 1
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        return text.span.withUnsafeBufferPointer { text in
            var span = result.mutableSpan
            return span.withUnsafeMutableBufferPointer { room in
                suite.authenticate(
                    ByteView(text.baseAddress, count: size), key: ByteView(secret, count: suite.secretOctets), context,
                    to: room.baseAddress!)
            }
        }
    }

    /// Begins a record: its nonce, and its header as additional data.
    private mutating func begin(_ header: UnsafePointer<UInt8>) -> Bool {
        // The sequence number, big-endian, over the nonce's last eight octets (section 5.3).
        var nonce = fixedNonce
        for index in 0..<8 { nonce[4 + index] ^= UInt8(truncatingIfNeeded: sequence >> UInt64(8 * (7 - index))) }
        sequence += 1
        var length: CInt = 0
        return nonce.span.withUnsafeBufferPointer {
            EVP_CipherInit_ex(context, nil, nil, nil, $0.baseAddress, -1)
        } == 1 && EVP_CipherUpdate(context, nil, &length, header, 5) == 1
    }

    /// Writes one record whose content is two pieces, one after the other.
    /// - Parameters:
    ///   - type: the inner content type.
    ///   - output: room for the content and ``TLSLimits/recordOverhead``.
    /// - Returns: the record's octets; nil when the library fails.
    mutating func seal(
        _ first: ByteView, _ second: ByteView, type: UInt8, to output: UnsafeMutablePointer<UInt8>
    ) -> Int? {
        let count = first.count + second.count + 1 + Self.tagOctets
        (output[0], output[1], output[2]) = (23, 3, 3)
        (output[3], output[4]) = (UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count))
        guard begin(output) else { return nil }
        var at = output + 5
        for piece in 0..<2 {
            let view = piece == 0 ? first : second
            guard view.count > 0 else { continue }
            var length: CInt = 0
            guard EVP_CipherUpdate(context, at, &length, view.base, CInt(view.count)) == 1, length == view.count else {
                return nil
            }
            at += view.count
        }
        var inner = type
        var length: CInt = 0
        guard EVP_CipherUpdate(context, at, &length, &inner, 1) == 1, length == 1 else { return nil }
        at += 1
        guard EVP_CipherFinal_ex(context, at, &length) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(Self.tagOctets), at) == 1
        else { return nil }
        return 5 + count
    }

    /// Opens one record.
    /// - Parameters:
    ///   - header: its five octets, the body behind them.
    ///   - count: the body's octets, more than ``tagOctets``.
    ///   - output: where the content goes, with its type and padding: room for the body less its tag. It may be the body.
    /// - Returns: whether the record is what the peer sent; otherwise what was written there means nothing.
    mutating func open(
        _ header: UnsafeMutablePointer<UInt8>, count: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        let size = count - Self.tagOctets
        let body = header + 5
        var length: CInt = 0
        guard begin(header),
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CInt(Self.tagOctets), body + size) == 1,
            EVP_CipherUpdate(context, output, &length, body, CInt(size)) == 1, length == size
        else { return false }
        return EVP_CipherFinal_ex(context, output + size, &length) == 1
    }
}
