import Core

/// A request's host, ready to be looked up in every ``HostIndex`` it meets, hashed once and lazily.
///
/// The hash runs from the last octet to the first, so that the hashes of all suffixes come out of one pass. Letters are
/// taken in lower case (RFC 9110, section 4.2.3); a trailing dot, which marks an absolute name (RFC 1034, section 3.1),
/// is ignored, since the same name is meant. What is longer than a DNS name can be is looked up as "any host" only.
public struct HostKey: BitwiseCopyable {
    /// RFC 1035, section 2.3.4, as text.
    public static let longestName = 253

    /// One suffix that begins with a dot, `.example.com`: what a wildcard is entered as.
    public struct Suffix: BitwiseCopyable {
        var hash: UInt64
        var start: UInt32
    }

    /// The name without its trailing dot. Borrowed from the caller, as `suffixes` is.
    private let base: UnsafePointer<UInt8>?
    fileprivate let length: Int
    fileprivate let suffixes: UnsafeMutablePointer<Suffix>
    fileprivate private(set) var hash: UInt64 = 0
    fileprivate private(set) var suffixCount = 0
    private var isHashed = false

    /// - Parameter suffixes: memory for ``SnapshotLimits/hostLabels`` suffixes, the caller's; used as long as the key is.
    public init(_ host: ByteView, suffixes: UnsafeMutablePointer<Suffix>) {
        base = host.base
        length = host.count > 1 && host[host.count - 1] == ASCII.dot ? host.count - 1 : host.count
        self.suffixes = suffixes
    }

    fileprivate var name: ByteView { ByteView(base, count: length) }

    fileprivate mutating func hashOnce() {
        guard !isHashed else { return }
        isHashed = true
        guard length > 0, let base else {
            hash = RollingHash().value
            return
        }
        var rolling = RollingHash()
        var count = 0
        let suffixes = suffixes
        var at = base + (length - 1)
        // The first octet comes after the loop: the host `.example.com` itself is no name below `example.com`.
        while at > base {
            let byte = at.pointee
            rolling.add(ASCII.lower(byte))
            if byte == ASCII.dot {
                if count == SnapshotLimits.hostLabels { break }
                suffixes[count] = Suffix(hash: rolling.value, start: UInt32(truncatingIfNeeded: at - base))
                count &+= 1
            }
            at -= 1
        }
        rolling.add(ASCII.lower(at.pointee))
        suffixCount = count
        hash = rolling.value
    }

    /// The hash of a name or of a wildcard's `.suffix`, as the builder enters it.
    static func hash(of name: ByteView) -> UInt64 {
        var rolling = RollingHash()
        var index = name.count - 1
        while index >= 0 {
            rolling.add(ASCII.lower(name[index]))
            index -= 1
        }
        return rolling.value
    }
}

/// What a host is known as in one index, from the most specific name to the least: the name itself, its wildcards from
/// the longest to the shortest, then "any host". At most one step per label that some wildcard of the index has.
public struct HostMatches: BitwiseCopyable {
    private enum Step: UInt8 { case exact, wildcard, any, done }
    private let index: HostIndex
    private var step = Step.exact
    private var nextSuffix = 0
    /// Buckets looked at, so that a test can see that cost does not grow with names.
    public private(set) var probes = 0

    public init(_ index: HostIndex) { self.index = index }

    /// The next value, or ``HostIndex/none`` when there is no further one.
    public mutating func next(_ key: inout HostKey, in snapshot: Snapshot) -> UInt32 {
        if step == .exact {
            if index.buckets.isEmpty || key.length > HostKey.longestName {
                step = .any
            } else {
                key.hashOnce()
                nextSuffix = key.suffixCount
                step = index.wildcardDepths == 0 ? .any : .wildcard
                // A name that begins with a dot is no name, but it would be found as what a wildcard is entered as.
                if key.length > 0, key.name[0] != ASCII.dot {
                    let value = find(key.hash, key.name, in: snapshot)
                    if value != HostIndex.none { return value }
                }
            }
        }
        while step == .wildcard {
            guard nextSuffix > 0 else {
                step = .any
                break
            }
            // The suffix at index i has i + 1 labels.
            let labels = nextSuffix
            nextSuffix -= 1
            guard index.wildcardDepths & DepthMask.bit(labels) != 0 else { continue }
            let suffix = key.suffixes[nextSuffix]
            let value = find(suffix.hash, key.name.from(Int(suffix.start)), in: snapshot)
            if value != HostIndex.none { return value }
        }
        if step == .any {
            step = .done
            return index.anyHost
        }
        return HostIndex.none
    }

    private mutating func find(_ hash: UInt64, _ name: ByteView, in snapshot: Snapshot) -> UInt32 {
        let buckets = snapshot.records(index.buckets)
        let mask = Int(index.buckets.count) - 1
        var slot = HashTable.firstSlot(hash, mask: mask)
        while true {
            probes += 1
            let bucket = buckets + slot
            // A table always has a free bucket, so this ends.
            if bucket.pointee.name.isEmpty { return HostIndex.none }
            if bucket.pointee.hash == hash {
                let known = snapshot.text(bucket.pointee.name)
                // Hosts nearly always come in lower case, and comparing as they are is several times quicker.
                if known.equals(name) || known.equalsIgnoringCase(name) { return bucket.pointee.value }
            }
            slot = (slot + 1) & mask
        }
    }
}
