import Glibc

/// How RLIMIT_NOFILE is shared out, so that no use of descriptors starves another.
enum DescriptorShares {
    /// Kept for everything else: listeners, logs, the family's links.
    static let reserved = 128

    private static let all: Int = {
        var bound = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bound)
        return Int(min(bound.rlim_cur, 1 << 24))
    }()

    /// Pipes at once, of two descriptors each: an eighth. Bodies that find none are copied.
    static let pipes = min(128, max(4, all / 16))
    /// Mirrors at once: a sixteenth.
    static let mirrors = min(4096, max(4, all / 16))
    /// Sessions of datagrams at once, of one descriptor each: a sixteenth.
    static let datagramSessions = min(16_384, max(16, all / 16))
    /// Tunnels at once whose inside is a connection of its own, of two descriptors each besides what that one needs: an
    /// eighth in all.
    static let tunnels = min(16_384, max(8, all / 16))
    /// Downstream connections: half of the rest, since each may need an upstream descriptor too. The far ends of tunnels
    /// are among them.
    static let downstream = max(16, (all - reserved - 2 * pipes - mirrors - datagramSessions - tunnels) / 2)
}
