import Config
import Testing
import Upstream

@testable import Controller

@Suite("Which outcomes of health checks are written to a file")
struct CheckLogsTests {
    typealias Events = HealthCheckLogPlan.Events

    static let cases: [(Events, passed: Bool, first: Bool, change: ProbeSeries.Standing?, String?)] = [
        (.all, true, false, nil, "Success"), (.all, true, false, .passing, "HealthyTransition"),
        (.all, false, false, nil, "Failure"), (.all, false, true, nil, "FailureSeriesStart"),
        ([.failure, .success], true, false, .passing, "Success"), ([.failure, .success], false, true, nil, "Failure"),
        ([.failureSeriesStart, .healthyTransition], false, true, .failing, "FailureSeriesStart"),
        ([.failureSeriesStart, .healthyTransition], false, false, .failing, nil),
        ([.failureSeriesStart, .healthyTransition], true, false, nil, nil),
        ([.failureSeriesStart, .healthyTransition], true, false, .passing, "HealthyTransition"),
    ]

    @Test(arguments: cases)
    func events(
        _ wanted: Events, _ passed: Bool, _ first: Bool, _ change: ProbeSeries.Standing?, _ expected: String?
    ) {
        #expect(CheckLogs.event(wanted, isPassed: passed, isFirstFailure: first, change: change) == expected)
    }
}
