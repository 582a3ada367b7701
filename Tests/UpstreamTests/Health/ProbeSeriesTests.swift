import Testing

@testable import Upstream

@Suite("A series of probes")
struct ProbeSeriesTests {
    typealias Standing = ProbeSeries.Standing
    typealias Result = ProbeSeries.Result

    static let series: [(name: String, healthy: UInt32, unhealthy: UInt32, from: Standing, [Result], [Standing?])] = [
        ("the first success decides at once", 3, 3, .pending, [.passed, .passed], [.passing, nil]),
        ("the first failure decides at once", 3, 3, .pending, [.failed, .failed], [.failing, nil]),
        (
            "so many failures in a row", 1, 3, .passing, [.failed, .failed, .failed, .failed],
            [nil, nil, .failing, nil]
        ),
        (
            "a success between begins anew", 1, 2, .passing, [.failed, .passed, .failed, .failed],
            [nil, nil, nil, .failing]
        ),
        ("a plain refusal is enough", 1, 3, .passing, [.refused], [.failing]),
        ("so many successes in a row", 2, 3, .failing, [.passed, .passed], [nil, .passing]),
        (
            "a failure between begins anew", 2, 3, .failing, [.passed, .failed, .passed, .passed],
            [nil, nil, nil, .passing]
        ),
        (
            "a refusal between begins anew", 2, 3, .failing, [.passed, .refused, .passed, .passed],
            [nil, nil, nil, .passing]
        ),
        ("a successor goes on from what was known", 1, 2, .passing, [.failed, .failed], [nil, .failing]),
        (
            "a series of failures does not count for the next", 1, 2, .passing,
            [.failed, .failed, .passed, .failed, .failed],
            [nil, .failing, .passing, nil, .failing]
        ),
    ]

    @Test("thresholds", arguments: series)
    func thresholds(
        _ name: String, _ healthy: UInt32, _ unhealthy: UInt32, _ from: Standing, _ results: [Result],
        _ expected: [Standing?]
    ) {
        var series = ProbeSeries(healthyThreshold: healthy, unhealthyThreshold: unhealthy, standing: from)
        #expect(results.map { series.take($0) } == expected, "\(name)")
        #expect(series.standing == expected.compactMap { $0 }.last ?? from)
    }
}
