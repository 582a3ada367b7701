import Config
import Core
import Telemetry
import Testing

@testable import Proxy

@Suite("BackendTrafficPolicy faultInjection") struct FaultTests {
    private static func abort(_ status: UInt16, grpc: UInt8 = 0, percentage: Double = 100) -> FaultInjectionPlan {
        var plan = FaultInjectionPlan()
        plan.httpStatus = status
        plan.grpcStatus = grpc
        plan.aborted = .init(percentage: percentage)
        return plan
    }

    @Test(arguments: [UInt16(503), 418, 200]) func aborts(_ status: UInt16) throws {
        let pass = try FilterPass { $0.traffic.faultInjection = Self.abort(status) }
        let answer = try pass.answer(FilterPass.get)
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(answer.hasSuffix("an injected fault\n"))
        #expect(pass.harness.statistics.requests(.faultInjected) == 1)
        #expect(pass.harness.total(.abortsInjected) == 1)
        pass.harness.expectNothingUnderWay()
    }

    @Test func statusesWithoutContent() throws {
        let answer = try FilterPass { $0.traffic.faultInjection = Self.abort(204) }.answer(FilterPass.get)
        #expect(answer.hasPrefix("HTTP/1.1 204 ") && answer.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: [(UInt8(14), UInt16(503)), (0, 200), (5, 404), (16, 401), (2, 500)])
    func grpcStatuses(_ status: UInt8, _ http: UInt16) throws {
        let plan = Self.abort(0, grpc: status)
        let plain = try FilterPass { $0.traffic.faultInjection = plan }.answer(FilterPass.get)
        #expect(plain.hasPrefix("HTTP/1.1 \(http) "))
        let call = try FilterPass { $0.traffic.faultInjection = plan }.answer(
            "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
        #expect(call.hasPrefix("HTTP/1.1 200 ") && call.contains("\r\ngrpc-status: \(status)\r\n"))
    }

    @Test func noneOfThem() throws {
        let pass = try FilterPass { $0.traffic.faultInjection = Self.abort(503, percentage: 0) }
        _ = try pass.toBackend(FilterPass.get)
        #expect(pass.client.received.hasPrefix("HTTP/1.1 200 "))
    }

    @Test func someOfThem() throws {
        let pass = try FilterPass { $0.traffic.faultInjection = Self.abort(503, percentage: 50) }
        var aborted = 0
        var backend: RawSocket?
        for _ in 0..<200 {
            pass.client.forget()
            pass.client.send(FilterPass.get)
            pass.harness.until {
                if backend == nil { backend = try? pass.harness.tryAcceptBackend() }
                backend?.receive()
                if backend?.received.contains("\r\n\r\n") == true {
                    backend?.forget()
                    backend?.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
                pass.client.receive()
                return pass.client.received.contains("\r\n\r\n")
            }
            if pass.client.received.hasPrefix("HTTP/1.1 503") { aborted += 1 }
        }
        // Six standard deviations to either side.
        #expect((58...142).contains(aborted))
    }

    @Test func delays() throws {
        var plan = FaultInjectionPlan()
        plan.delay = .milliseconds(80)
        plan.delayed = .init(percentage: 100)
        let pass = try FilterPass { $0.traffic.faultInjection = plan }
        let start = pass.harness.loop.now
        _ = try pass.toBackend(FilterPass.get)
        #expect(pass.harness.loop.now - start >= .milliseconds(80))
        #expect(pass.client.received.hasPrefix("HTTP/1.1 200 "))
        #expect(pass.harness.statistics.requests(.delayInjected) == 1)
        pass.harness.expectNothingUnderWay()
    }

    @Test func delaysAndAborts() throws {
        var plan = Self.abort(500)
        plan.delay = .milliseconds(50)
        plan.delayed = .init(percentage: 100)
        let pass = try FilterPass { $0.traffic.faultInjection = plan }
        let start = pass.harness.loop.now
        #expect(try pass.answer(FilterPass.get).hasPrefix("HTTP/1.1 500 "))
        #expect(pass.harness.loop.now - start >= .milliseconds(50))
        #expect(pass.harness.total(.delaysInjected) == 1 && pass.harness.total(.abortsInjected) == 1)
    }

    @Test func aClientThatLeavesEndsTheDelay() throws {
        var plan = FaultInjectionPlan()
        plan.delay = .seconds(600)
        plan.delayed = .init(percentage: 100)
        let pass = try FilterPass { $0.traffic.faultInjection = plan }
        var leaving: RawSocket? = try pass.harness.connect()
        leaving?.send(FilterPass.get)
        pass.harness.until { pass.harness.total(.delaysInjected) == 1 }
        leaving?.resetsWhenGone()
        leaving = nil
        pass.harness.until("the end of the delay") { pass.harness.total(.requestsNow) == 0 }
        #expect(pass.harness.statistics.requests(.downstreamTermination) == 1)
        #expect(try pass.harness.tryAcceptBackend() == nil)
    }

    @Test(arguments: [(0.0, UInt32(0)), (0.0001, 1), (0.00012, 1), (1, 10_000), (33.3333, 333_333), (100, 1_000_000)])
    func sharesAreExactToAMillionth(_ percentage: Double, _ millionths: UInt32) {
        let share = FaultInjectionPlan.Share(percentage: percentage)
        #expect(share.millionths == millionths)
        #expect(share.takes(0) == (millionths > 0))
        #expect(share.takes(.max) == (millionths == 1_000_000))
        // Of a million evenly spread draws as many fall under it.
        let step = UInt64.max / 1_000_000
        let taken = (0..<UInt64(1_000_000)).reduce(0) { share.takes($1 * step + step / 2) ? $0 + 1 : $0 }
        #expect(taken == Int(millionths))
    }
}
