import Core

/// The `traceparent` field (W3C Trace Context, Recommendation 2021, section 3.2): `00-TRACE-PARENT-FLAGS`.
public enum Traceparent {
    /// The 32 digits of the trace-id; nil: the field is not one.
    public static func traceID(_ field: ByteView) -> ByteView? {
        let dash = UInt8(ascii: "-")
        guard field.count >= 55, field[2] == dash, field[35] == dash, field[52] == dash else { return nil }
        var isZero = true
        for i in 3..<35 {
            // In lower case only (section 3.2.2.3).
            guard let digit = ASCII.hexValue(field[i]), !(0x41...0x46).contains(field[i]) else { return nil }
            if digit != 0 { isZero = false }
        }
        return isZero ? nil : field[3..<35]
    }
}
