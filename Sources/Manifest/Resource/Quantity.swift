import Core

/// A number of octets as Kubernetes writes it (apimachinery, `resource.Quantity`), in the forms that Envoy Gateway's schema
/// takes: whole numbers with a unit of powers of two (`Ki`, `Mi`…) or ten (`k`, `M`…).
enum Quantity {
    private static let units: [(name: StaticString, octets: UInt64)] = [
        ("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000), ("E", 1_000_000_000_000_000_000), ("Ki", 1 << 10), ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60),
    ]

    /// Nil when it is none, or passes 2⁶³ − 1.
    static func octets(_ text: String) -> Int64? {
        text.withView { view in
            var end = 0
            while end < view.count, ASCII.isDigit(view[end]) { end += 1 }
            guard let number = view.upTo(end).decimal else { return nil }
            for unit in units where view.from(end).equals(unit.name) {
                let (product, past) = number.multipliedReportingOverflow(by: unit.octets)
                return past ? nil : Int64(exactly: product)
            }
            return nil
        }
    }

    /// A field that is a number, or its text with a unit.
    static func octets(_ node: PolicyNode) -> Int64? { node.integer ?? node.string.flatMap { octets($0) } }
}
