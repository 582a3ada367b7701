import Core

/// The Castagnoli checksum of PROXY headers (RFC 3720, appendix B.4), bit by bit: headers are short and few.
struct CRC32C {
    private var register: UInt32 = .max

    var value: UInt32 { ~register }

    mutating func add(_ octet: UInt8) {
        register ^= UInt32(octet)
        for _ in 0..<8 { register = register & 1 == 0 ? register >> 1 : register >> 1 ^ 0x82F6_3B78 }
    }

    mutating func add(_ octets: ByteView) {
        for i in octets.indices { add(octets[i]) }
    }
}
