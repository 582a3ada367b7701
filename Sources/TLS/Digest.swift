import COpenSSL
import Core

/// Digests and encodings that OpenSSL has, for rooms that must not know it.
public enum Digest {
    /// SHA-1 (FIPS 180-4), in base64: for handshakes that ask for it where it keeps no secret (RFC 6455, section 4.2.2).
    public static func sha1Base64(_ octets: ByteView) -> String {
        var digest = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        let result = EVP_Digest(octets.base, octets.count, &digest, &length, EVP_sha1(), nil)
        precondition(result == 1 && length == 20, "the library has no SHA-1")
        return base64(digest)
    }

    /// RFC 4648, section 4.
    public static func base64(_ octets: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (octets.count + 2) / 3 * 4 + 1)
        let length = EVP_EncodeBlock(&text, octets, CInt(octets.count))
        return String(decoding: text.prefix(Int(length)), as: UTF8.self)
    }
}
