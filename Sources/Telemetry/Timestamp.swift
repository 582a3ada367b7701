import Core

/// RFC 3339 in UTC with milliseconds, written without allocating. The date part is kept for the second it belongs to:
/// a busy log asks for the same one thousands of times.
public struct Timestamp: ~Copyable {
    private var second = Int64.min
    private var text = ByteBuffer(capacity: 24)

    public init() {}

    /// Appends `2026-11-21T14:07:39.123Z`, 24 octets. Moments outside the years 1–9999 are written as the nearest in it.
    /// - Parameter wall: nanoseconds since 1970.
    public mutating func write(_ wall: Int64, to buffer: inout ByteBuffer) {
        let seconds = wall >= 0 ? wall / 1_000_000_000 : (wall - 999_999_999) / 1_000_000_000
        if seconds != second {
            second = seconds
            text.clear()
            Self.writeSecond(seconds, to: &text)
        }
        buffer.append(text.view)
        let milliseconds = UInt64((wall - seconds * 1_000_000_000) / 1_000_000)
        buffer.append(byte: ASCII.dot)
        buffer.append(padded: milliseconds, digits: 3)
        buffer.append(byte: 0x5A)
    }

    /// Days to a date in the proleptic Gregorian calendar, by eras of 400 years that begin in March, so that the leap
    /// day is a year's last.
    private static func writeSecond(_ seconds: Int64, to buffer: inout ByteBuffer) {
        let day = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let time = UInt64(seconds - day * 86400)
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = min(9999, max(1, yearOfEra + era * 400 + (month <= 2 ? 1 : 0)))
        buffer.append(padded: UInt64(year), digits: 4)
        buffer.append(byte: 0x2D)
        buffer.append(padded: UInt64(month), digits: 2)
        buffer.append(byte: 0x2D)
        buffer.append(padded: UInt64(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1), digits: 2)
        buffer.append(byte: 0x54)
        buffer.append(padded: time / 3600, digits: 2)
        buffer.append(byte: ASCII.colon)
        buffer.append(padded: time / 60 % 60, digits: 2)
        buffer.append(byte: ASCII.colon)
        buffer.append(padded: time % 60, digits: 2)
    }

    /// The same as text, for the control side.
    public static func string(_ wall: Int64) -> String {
        var stamp = Timestamp()
        var buffer = ByteBuffer(capacity: 32)
        stamp.write(wall, to: &buffer)
        return buffer.view.string
    }
}

extension ByteBuffer {
    /// Milliseconds with three decimals: `12.345`. Negative amounts are written as zero.
    mutating func append(milliseconds amount: TimeAmount) {
        let microseconds = UInt64(max(0, amount.nanoseconds)) / 1000
        append(decimal: microseconds / 1000)
        append(byte: ASCII.dot)
        append(padded: microseconds % 1000, digits: 3)
    }
}
