import Core

/// How long the caller of gRPC is willing to wait: `grpc-timeout: 1S` (gRPC over HTTP/2, "Timeout").
public enum GRPCTimeout {
    /// Nil: none was sent, or one that is not of the form. At most eight digits and a unit.
    public static func parse(_ fields: borrowing FieldTable, _ head: ByteView) -> TimeAmount? {
        guard let index = fields.firstIndex(named: ByteView("grpc-timeout"), in: head) else { return nil }
        return parse(fields[index].value(in: head))
    }

    public static func parse(_ value: ByteView) -> TimeAmount? {
        guard value.count >= 2, value.count <= 9, let number = value.upTo(value.count - 1).decimal else { return nil }
        let unit: Int64 =
            switch value[value.count - 1] {
            case UInt8(ascii: "H"): 3_600_000_000_000
            case UInt8(ascii: "M"): 60_000_000_000
            case UInt8(ascii: "S"): 1_000_000_000
            case UInt8(ascii: "m"): 1_000_000
            case UInt8(ascii: "u"): 1_000
            case UInt8(ascii: "n"): 1
            default: 0
            }
        guard unit > 0, number > 0 else { return nil }
        // 99,999,999 hours are past what 63 bits of nanoseconds hold.
        let (product, overflows) = Int64(number).multipliedReportingOverflow(by: unit)
        return overflows ? nil : .nanoseconds(product)
    }
}
