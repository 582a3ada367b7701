import Core
import IO
import Telemetry
import Upstream

/// The key that tokens of persistent sessions are signed with: made once for the family, or once for a state folder, so that
/// sessions outlive a restart. Gateways that share the file's content accept each other's sessions.
enum SessionKey {
    static let name = "session.key"
    /// 32 hexadecimal digits and a line feed.
    private static let digits = 32

    static func prepare(_ live: LiveState, directory: String?, _ log: Log) {
        // A controller before this one has seen to it.
        guard live.sessionKey == nil else { return }
        var key = SipHash.Key(low: SystemCalls.randomSeed() | 1, high: SystemCalls.randomSeed())
        defer { live.setSessionKey(key) }
        guard let directory else { return }
        let path = "\(directory)/\(name)"
        do throws(Errno) {
            if let octets = try DurableFile.read(path, limit: 4096) {
                guard let kept = read(octets) else {
                    return log.error(
                        "the key of sessions cannot be read; those of before are not known any more",
                        ["file": .text(path)])
                }
                key = kept
            } else {
                var text = ByteBuffer()
                text.append(string: AdminJSON.hexadecimal(key.low) + AdminJSON.hexadecimal(key.high) + "\n")
                try DurableFile.write(text.view, to: path)
            }
        } catch {
            log.error(
                "the key of sessions cannot be kept; they end with this gateway",
                ["file": .text(path), "error": .text(error.description)])
        }
    }

    private static func read(_ octets: [UInt8]) -> SipHash.Key? {
        let text = String(decoding: octets.prefix { $0 != 0x0A }, as: UTF8.self)
        guard text.utf8.count == digits, let low = UInt64(text.prefix(16), radix: 16), low != 0,
            let high = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        return SipHash.Key(low: low, high: high)
    }
}
