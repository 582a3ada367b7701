import Core

/// Writes dates as HTTP wants them (`Sun, 06 Nov 1994 08:49:37 GMT`; RFC 9110, section 5.6.7, IMF-fixdate) and keeps the
/// last one: a busy worker formats once a second.
public struct HTTPDate: ~Copyable {
    private var seconds: Int64?
    private var text = ByteBuffer()

    public init() {}

    /// Octets of a date in this form.
    public static let octets = 29

    /// The date's octets; valid until the next call.
    /// - Parameter unixSeconds: since 1970-01-01 UTC, without leap seconds; years 1–9999, others are brought into them.
    public mutating func view(unixSeconds: Int64) -> ByteView {
        if seconds != unixSeconds {
            text.clear()
            HTTPDate.format(unixSeconds, into: &text)
            seconds = unixSeconds
        }
        return text.view
    }

    /// Appends the date.
    public mutating func write(unixSeconds: Int64, to buffer: inout ByteBuffer) {
        buffer.append(view(unixSeconds: unixSeconds))
    }

    private static func format(_ unixSeconds: Int64, into out: inout ByteBuffer) {
        // 0001-01-01T00:00:00 and 9999-12-31T23:59:59.
        let time = min(max(unixSeconds, -62_135_596_800), 253_402_300_799)
        let days = time >= 0 ? time / 86400 : (time - 86399) / 86400
        let secondOfDay = time - days * 86400
        let date = civil(days)
        // 1970-01-01 was a Thursday, and the names begin with it.
        let weekday = Int(((days % 7) + 7) % 7)
        out.append(names(ByteView("ThuFriSatSunMonTueWed"), weekday))
        out.append(", ")
        two(date.day, &out)
        out.append(byte: ASCII.space)
        out.append(names(ByteView("JanFebMarAprMayJunJulAugSepOctNovDec"), Int(date.month) - 1))
        out.append(byte: ASCII.space)
        two(date.year / 100, &out)
        two(date.year % 100, &out)
        out.append(byte: ASCII.space)
        two(secondOfDay / 3600, &out)
        out.append(byte: ASCII.colon)
        two(secondOfDay / 60 % 60, &out)
        out.append(byte: ASCII.colon)
        two(secondOfDay % 60, &out)
        out.append(" GMT")
    }

    private static func names(_ all: ByteView, _ index: Int) -> ByteView { all[(index * 3)..<(index * 3 + 3)] }

    private static func two(_ value: Int64, _ out: inout ByteBuffer) {
        out.append(byte: 0x30 + UInt8(value / 10))
        out.append(byte: 0x30 + UInt8(value % 10))
    }

    /// The Gregorian date of a day counted from 1970-01-01. Years are made to begin in March, so that the leap day is
    /// the last of its year and month lengths follow one line: (153 m + 2) / 5.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468  // Counted from 0000-03-01.
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }
}
