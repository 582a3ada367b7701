import Core

/// Secret: certificates with their keys.
enum Secret {
    static let tlsType = "kubernetes.io/tls"
    /// These name files that hold what `tls.crt`, `tls.key` and `tls.ocsp-staple` would, relative to the manifest.
    static let certificateFileAnnotation = "sluice.dev/cert-file"
    static let keyFileAnnotation = "sluice.dev/key-file"
    static let staplingFileAnnotation = "sluice.dev/ocsp-file"
    /// Names a file that holds what `ca.crt` would; on ConfigMaps too.
    static let authorityFileAnnotation = "sluice.dev/ca-file"

    static func type(_ node: WrittenNode) -> String { node[.type].string ?? "Opaque" }
}

/// Standard base64 (RFC 4648, section 4), as Kubernetes writes `data`.
enum Base64 {
    /// Nil when it is not base64. Line breaks are skipped, as Go's decoder does.
    static func decode(_ text: ByteView) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for index in text.indices {
            let byte = text[index]
            if byte == ASCII.lf || byte == ASCII.cr { continue }
            if byte == ASCII.equals {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 1
            if count % 4 == 0 {
                out.append(UInt8(truncatingIfNeeded: bits >> 16))
                out.append(UInt8(truncatingIfNeeded: bits >> 8))
                out.append(UInt8(truncatingIfNeeded: bits))
            }
        }
        guard (count + padding) % 4 == 0, padding <= 2 else { return nil }
        switch count % 4 {
        case 2: out.append(UInt8(truncatingIfNeeded: bits >> 4))
        case 3:
            out.append(UInt8(truncatingIfNeeded: bits >> 10))
            out.append(UInt8(truncatingIfNeeded: bits >> 2))
        case 1: return nil
        default: break
        }
        return out
    }

    private static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
