extension MetricFamily {
    /// docs/metrics.md.
    public static var documentation: String {
        var text = """
            # Metrics

            What `GET /metrics` of the admin interface gives, in Prometheus' text format. Made from the same table as the \
            exposition; a test compares them. Counters are kept in memory that the family of processes shares: they outlive \
            a worker and the controller, and end with the gateway. Series of routes and endpoints appear with their first \
            request; at most \(StatisticsLayout.slotLimit - 1) routes and as many endpoints are counted one by one over the \
            life of a gateway, what comes later is counted under an empty name.

            | name | type | labels | meaning |
            | --- | --- | --- | --- |

            """
        for family in all {
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            text += "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
        }
        text += "\nReason codes (`reason`), as in the access log:\n\n| code | status | meaning |\n| --- | --- | --- |\n"
        for code in ReasonCode.allCases { text += "| `\(code.text)` | \(code.usualStatus) | \(code.meaning) |\n" }
        text += "\n`IH` has its place already; "
        text += "this version gives none.\n"
        return text
    }
}
