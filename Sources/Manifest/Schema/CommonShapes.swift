/// Shapes that many kinds share. Bounds are those of Gateway API's shared types.
extension Shape {
    static let objectName = text(1...253)
    static let namespace = text(1...63, .dnsLabel)
    static let group = text(0...253, .group)
    static let kind = text(1...63, .kind)
    static let sectionName = text(1...253, .dnsSubdomain)
    static let hostname = text(1...253, .hostname)
    /// A host name without a wildcard.
    static let preciseHostname = text(1...253, .dnsSubdomain)
    static let port = integer(1...65535)
    static let headerName = text(1...256, .headerName)
    static let headerValue = text(1...4096, .headerValue)
    static let duration = text(0 ... .max, .duration)
    static let nonNegativeInt32 = integer(0...Int64(Int32.max))
    static let positiveInt32 = integer(1...Int64(Int32.max))
    static let int32 = integer(Int64(Int32.min)...Int64(Int32.max))
    static let string = text()
    static let strings = list(.text())
    static let stringMap = map(of: .text())

    /// `metav1.LabelSelector`.
    static let labelSelector = object([
        optional("matchLabels", .stringMap),
        optional(
            "matchExpressions",
            .list(.object([required("key", .string), required("operator", .string), optional("values", .strings)]))),
    ])
}
