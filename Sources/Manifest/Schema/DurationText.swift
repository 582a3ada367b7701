import Core

/// Gateway API's durations (GEP-2257): one to four numbers of one to five digits, each with a unit.
enum DurationText {
    /// The length of time, or nil when `text` is no such duration. At most 4 × 99999 h, which fits with room to spare.
    static func nanoseconds(_ text: ByteView) -> Int64? {
        var total: Int64 = 0
        var parts = 0
        var at = 0
        while at < text.count {
            let start = at
            while at < text.count, ASCII.isDigit(text[at]) { at += 1 }
            guard (1...5).contains(at - start), let number = text[start..<at].decimal, at < text.count else {
                return nil
            }
            let unit: Int64
            switch text[at] {
            case 0x68: unit = 3_600_000_000_000  // h
            case 0x73: unit = 1_000_000_000  // s
            case 0x6D where at + 1 < text.count && text[at + 1] == 0x73:  // ms
                unit = 1_000_000
                at += 1
            case 0x6D: unit = 60_000_000_000  // m
            default: return nil
            }
            at += 1
            parts += 1
            total += Int64(number) * unit
        }
        return (1...4).contains(parts) ? total : nil
    }
}

extension Node {
    /// The duration that a text such as `1m30s` stands for; nil for anything else.
    public var duration: TimeAmount? {
        kind == .string ? DurationText.nanoseconds(text).map { TimeAmount(nanoseconds: $0) } : nil
    }
}
