import Core

/// The `k=v&…` pairs of a query, read in place. Pairs are separated by `&` alone; a pair without `=` has an empty value;
/// empty pairs are passed over.
///
/// Comparing decodes as browsers and Go's `url.ParseQuery` encode: `+` is a space and `%XX` an octet, in names and
/// values; an escape that is none stands for itself. Gateway API (`HTTPQueryParamMatch`) asks for exact matches of the
/// first occurrence of a name and leaves the decoding open; this is what writers of manifests expect of `a b`.
public struct QueryView {
    private let query: ByteView
    private var at = 0

    /// - Parameter query: what follows the `?`, without it.
    public init(_ query: ByteView) { self.query = query }

    /// The next pair, not decoded; nil at the end.
    public mutating func next() -> (name: ByteView, value: ByteView)? {
        while at < query.count {
            let stop = query.firstIndex(of: 0x26, from: at) ?? query.count
            let pair = query[at..<stop]
            at = stop + 1
            if pair.isEmpty { continue }
            guard let equals = pair.firstIndex(of: ASCII.equals) else { return (pair, pair.from(pair.count)) }
            return (pair.upTo(equals), pair.from(equals + 1))
        }
        return nil
    }

    /// The value of the first pair whose name, decoded, is `name`; not decoded itself. Nil when there is none.
    public static func firstValue(of name: ByteView, in query: ByteView) -> ByteView? {
        var pairs = QueryView(query)
        while let pair = pairs.next() {
            if decodes(pair.name, to: name) { return pair.value }
        }
        return nil
    }

    /// Whether the encoded octets, decoded, are exactly `text`. Allocates nothing.
    public static func decodes(_ encoded: ByteView, to text: ByteView) -> Bool {
        // Decoding never makes anything longer.
        guard encoded.count >= text.count else { return false }
        var from = 0
        for i in text.indices {
            guard from < encoded.count, decode(encoded, &from) == text[i] else { return false }
        }
        return from == encoded.count
    }

    /// Appends the decoded octets.
    public static func decode(_ encoded: ByteView, into buffer: inout ByteBuffer) {
        buffer.makeRoom(encoded.count)
        var from = 0
        while from < encoded.count { buffer.append(byte: decode(encoded, &from)) }
    }

    private static func decode(_ encoded: ByteView, _ from: inout Int) -> UInt8 {
        let byte = encoded[from]
        from += 1
        if byte == 0x2B { return ASCII.space }
        guard byte == ASCII.percent, from + 2 <= encoded.count, let high = ASCII.hexValue(encoded[from]),
            let low = ASCII.hexValue(encoded[from + 1])
        else { return byte }
        from += 2
        return high << 4 | low
    }
}
