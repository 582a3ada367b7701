import Core

/// A moment as Kubernetes writes it (RFC 3339), for ordering and for certificates' dates.
enum Timestamp {
    /// Sorts after every other: a resource without creationTimestamp is the newest.
    static let newest = Int64.max

    /// Nanoseconds since 1970 (UTC), or nil when `text` is no such moment.
    static func nanoseconds(_ text: ByteView) -> Int64? {
        func digits(_ from: Int, _ count: Int) -> Int64? {
            guard from + count <= text.count else { return nil }
            return text[from..<(from + count)].decimal.map { Int64($0) }
        }
        guard text.count >= 20, text[4] == 0x2D, text[7] == 0x2D, text[10] | 0x20 == 0x74, text[13] == ASCII.colon,
            text[16] == ASCII.colon,
            let year = digits(0, 4), let month = digits(5, 2), let day = digits(8, 2), let hour = digits(11, 2),
            let minute = digits(14, 2), let second = digits(17, 2), (1...12).contains(month), (1...31).contains(day),
            hour <= 24, minute <= 59, second <= 60, year < 2262
        else { return nil }
        var at = 19
        var fraction: Int64 = 0
        if text[at] == ASCII.dot {
            at += 1
            var scale: Int64 = 100_000_000
            while at < text.count, ASCII.isDigit(text[at]) {
                fraction += Int64(text[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
        }
        guard at < text.count else { return nil }
        var offset: Int64 = 0
        if text[at] | 0x20 == 0x7A {
            guard at + 1 == text.count else { return nil }
        } else {
            guard text[at] == 0x2B || text[at] == 0x2D, at + 6 == text.count, text[at + 3] == ASCII.colon,
                let hours = digits(at + 1, 2), let minutes = digits(at + 4, 2)
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (text[at] == 0x2D ? -1 : 1)
        }
        let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset
        return seconds * 1_000_000_000 + fraction
    }

    /// Days since 1970-01-01 in the Gregorian calendar, counting years from March so that leap days come last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
