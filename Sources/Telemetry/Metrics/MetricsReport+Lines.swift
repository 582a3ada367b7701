import Core

/// The lines of the text format: a sample, a histogram, and their labels.
extension MetricsReport {
    mutating func sample(_ family: MetricFamily, _ value: UInt64) { sample(family, [], value) }

    mutating func sample(_ family: MetricFamily, _ values: [String], _ value: UInt64) {
        out.append(family.name)
        labels(family, values, bound: nil)
        out.append(decimal: value)
        out.append(byte: ASCII.lf)
    }

    /// A value with a fraction, in thousand millionths.
    mutating func sample(_ family: MetricFamily, _ values: [String], seconds nanoseconds: Int64) {
        out.append(family.name)
        labels(family, values, bound: nil)
        out.append(seconds: nanoseconds)
        out.append(byte: ASCII.lf)
    }

    mutating func histogram(
        _ family: MetricFamily, _ values: [String], _ buckets: [UInt64], _ bounds: [Int64], _ sum: TimeAmount
    ) {
        var total: UInt64 = 0
        for (place, count) in buckets.enumerated() {
            total += count
            out.append(family.name)
            out.append("_bucket")
            labels(family, values, bound: place < bounds.count ? bounds[place] : .max)
            out.append(decimal: total)
            out.append(byte: ASCII.lf)
        }
        out.append(family.name)
        out.append("_sum")
        labels(family, values, bound: nil)
        out.append(seconds: sum.nanoseconds)
        out.append(byte: ASCII.lf)
        out.append(family.name)
        out.append("_count")
        labels(family, values, bound: nil)
        out.append(decimal: total)
        out.append(byte: ASCII.lf)
    }

    /// `{name="value",…} `, or just the space.
    private mutating func labels(_ family: MetricFamily, _ values: [String], bound: Int64?) {
        precondition(values.count == family.labels.count, "\(family.name) has other labels than it says")
        if !values.isEmpty || bound != nil {
            out.append(byte: 0x7B)
            for (name, value) in zip(family.labels, values) {
                out.append(name)
                out.append("=\"")
                value.withView { out.append(label: $0) }
                out.append("\",")
            }
            if let bound {
                out.append("le=\"")
                if bound == .max {
                    out.append("+Inf")
                } else {
                    out.append(seconds: bound)
                }
                out.append("\",")
            }
            out.truncate(1)
            out.append(byte: 0x7D)
        }
        out.append(byte: ASCII.space)
    }
}

extension ByteBuffer {
    /// A label's value: backslash, double quote and line feed escaped, as the text format says.
    mutating func append(label value: ByteView) {
        for i in value.indices {
            switch value[i] {
            case 0x22: append("\\\"")
            case 0x5C: append("\\\\")
            case ASCII.lf: append("\\n")
            default: append(byte: value[i])
            }
        }
    }

    /// Nanoseconds as seconds in decimal, without trailing zeros: `0.0005`, `2.5`, `100`.
    mutating func append(seconds nanoseconds: Int64) {
        let amount = UInt64(max(0, nanoseconds))
        append(decimal: amount / 1_000_000_000)
        let fraction = amount % 1_000_000_000
        guard fraction > 0 else { return }
        append(byte: ASCII.dot)
        append(padded: fraction / 1000, digits: 6)
        append(padded: fraction % 1000, digits: 3)
        while view[count - 1] == 0x30 { truncate(1) }
    }
}
