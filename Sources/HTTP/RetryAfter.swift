import Core

/// `Retry-After` (RFC 9110, section 10.2.3): how long a server asks its client to wait.
public enum RetryAfter {
    /// The wait that a value asks for, counted from `unixSeconds`; zero for a date that is past.
    /// Nil when it is neither a number of seconds nor a date.
    public static func parse(_ value: ByteView, unixSeconds: Int64) -> TimeAmount? {
        if let seconds = value.decimal { return .seconds(Int64(clamping: min(seconds, longest))) }
        guard let date = HTTPDate.parse(value) else { return nil }
        return .seconds(max(0, min(date - unixSeconds, Int64(longest))))
    }

    /// Longer waits are all the same to whoever asks: a day.
    private static let longest: UInt64 = 86_400
}

extension HTTPDate {
    /// Seconds since 1970 of a date in one of the three forms that a recipient must know (RFC 9110, section 5.6.7):
    ///
    ///     Sun, 06 Nov 1994 08:49:37 GMT      IMF-fixdate
    ///     Sunday, 06-Nov-94 08:49:37 GMT     RFC 850
    ///     Sun Nov  6 08:49:37 1994           asctime
    ///
    /// Nil for anything else. The weekday is not compared with the date.
    public static func parse(_ text: ByteView) -> Int64? {
        guard let comma = text.firstIndex(of: UInt8(ascii: ",")) else { return asctime(text) }
        let rest = text.from(comma + 1)
        // " 06 Nov 1994 08:49:37 GMT", or " 06-Nov-94 08:49:37 GMT".
        let isLong = rest.count == 25
        guard isLong || rest.count == 23, rest[0] == ASCII.space, rest.hasSuffix(ByteView(" GMT")) else { return nil }
        let separator: UInt8 = isLong ? ASCII.space : UInt8(ascii: "-")
        let yearEnd = isLong ? 12 : 10
        guard rest[3] == separator, rest[7] == separator, rest[yearEnd] == ASCII.space,
            let day = rest[1..<3].decimal, let month = monthNumber(rest[4..<7]), var year = rest[8..<yearEnd].decimal,
            let time = timeOfDay(rest[(yearEnd + 1)..<(yearEnd + 9)])
        else { return nil }
        // Two digits: what would be more than fifty years ahead is meant to be past; nobody asks for such waits anyway.
        if !isLong { year += year < 70 ? 2000 : 1900 }
        return seconds(year, month, day, time)
    }

    private static func asctime(_ text: ByteView) -> Int64? {
        guard text.count == 24, text[3] == ASCII.space, text[7] == ASCII.space, text[10] == ASCII.space,
            text[19] == ASCII.space, let month = monthNumber(text[4..<7]), let day = text[8..<10].trimmed.decimal,
            let time = timeOfDay(text[11..<19]), let year = text[20..<24].decimal
        else { return nil }
        return seconds(year, month, day, time)
    }

    private static func monthNumber(_ name: ByteView) -> Int64? {
        let names = ByteView("JanFebMarAprMayJunJulAugSepOctNovDec")
        for month in 0..<12 where names[(month * 3)..<(month * 3 + 3)].equals(name) { return Int64(month + 1) }
        return nil
    }

    private static func timeOfDay(_ text: ByteView) -> Int64? {
        guard text[2] == ASCII.colon, text[5] == ASCII.colon, let hour = text[0..<2].decimal,
            let minute = text[3..<5].decimal, let second = text[6..<8].decimal, hour < 24, minute < 60, second <= 60
        else { return nil }
        return Int64(hour * 3600 + minute * 60 + second)
    }

    /// The inverse of the calendar that dates are written with: years begin in March.
    private static func seconds(_ year: UInt64, _ month: Int64, _ day: UInt64, _ time: Int64) -> Int64? {
        guard day >= 1, day <= 31, year <= 9999 else { return nil }
        let shifted = Int64(year) - (month <= 2 ? 1 : 0)
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let marchMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * marchMonth + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * 86_400 + time
    }
}
