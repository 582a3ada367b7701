import Core

/// A request's path, ready to be looked up in every ``PathIndex`` it meets: the hashes of the whole path and of all its
/// prefixes of whole segments, out of one pass.
public struct PathKey: BitwiseCopyable {
    /// The first `length` octets of the path, which end before a slash or with the path.
    public struct Prefix: BitwiseCopyable {
        public var hash: UInt64
        public var length: UInt32

        @inlinable public init(hash: UInt64, length: UInt32) {
            self.hash = hash
            self.length = length
        }
    }

    public let hash: UInt64
    /// Segments of the path, as far as any prefix of the snapshot reaches.
    public let depth: Int

    /// - Parameters:
    ///   - path: normalised; empty for `*` and for CONNECT, which only the prefix `/` matches.
    ///   - longest: segments of the snapshot's longest prefix (``SnapshotHeader/longestPrefix``).
    ///   - prefixes: memory for `longest` + 1 prefixes; `prefixes[n]` is the one of n segments. Entry 0, for the prefix `/`,
    ///     is the empty path.
    @inlinable public init(_ path: ByteView, longest: Int, prefixes: UnsafeMutablePointer<Prefix>) {
        var rolling = RollingHash()
        prefixes[0] = Prefix(hash: rolling.value, length: 0)
        var depth = 0
        if let base = path.base, path.count > 0 {
            let end = base + path.count
            rolling.add(base.pointee)
            var at = base + 1
            // Two loops: past the longest prefix, slashes mean nothing.
            while at < end, depth < longest {
                let byte = at.pointee
                if byte == ASCII.slash {
                    depth &+= 1
                    prefixes[depth] = Prefix(hash: rolling.value, length: UInt32(truncatingIfNeeded: at - base))
                }
                rolling.add(byte)
                at += 1
            }
            while at < end {
                rolling.add(at.pointee)
                at += 1
            }
            // `/foo/` has the segments of `/foo`: what follows the last slash counts only when it is something.
            if depth < longest, end[-1] != ASCII.slash {
                depth &+= 1
                prefixes[depth] = Prefix(hash: rolling.value, length: UInt32(truncatingIfNeeded: path.count))
            }
        }
        hash = rolling.value
        self.depth = depth
    }
}

extension ByteView {
    /// A prefix as it is entered and compared: `/foo/` is `/foo`, and `/` is empty.
    @inlinable public var withoutTrailingSlash: ByteView {
        count > 0 && self[count - 1] == ASCII.slash ? upTo(count - 1) : self
    }
}
