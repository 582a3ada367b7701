import Core

/// A duration as Gateway API writes it (GEP-2257): up to four numbers with `h`, `m`, `s` or `ms`.
enum GatewayDuration {
    /// Nil when it is none.
    static func parse(_ text: String) -> TimeAmount? {
        text.withView { view in
            var total: Int64 = 0
            var at = 0
            while at < view.count {
                let start = at
                while at < view.count, ASCII.isDigit(view[at]) { at += 1 }
                guard let number = view[start..<at].decimal, number <= 99_999, at < view.count else { return nil }
                let unit: Int64
                switch view[at] {
                case 0x68: unit = 3_600_000
                case 0x6D where at + 1 < view.count && view[at + 1] == 0x73:
                    unit = 1
                    at += 1
                case 0x6D: unit = 60_000
                case 0x73: unit = 1000
                default: return nil
                }
                at += 1
                total += Int64(number) * unit
            }
            return view.isEmpty ? nil : .milliseconds(total)
        }
    }
}
