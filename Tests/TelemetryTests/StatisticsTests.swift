import Core
import Glibc
import Testing

@testable import Telemetry

@Suite("Shared statistics")
struct StatisticsTests {
    /// A block as a fresh memfd is: all zero.
    private final class Block {
        let base: UnsafeMutableRawPointer
        private let size: Int
        init(workers: Int) {
            size = StatisticsRegion.size(workers: workers)
            base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        }
        deinit { munmap(base, size) }
    }

    @Test func layoutHasNoOverlaps() {
        #expect(Counter.allCases.count <= StatisticsLayout.firstReason)
        #expect(StatisticsLayout.firstReason + ReasonCode.allCases.count <= StatisticsLayout.firstStatusClass)
        #expect(StatisticsLayout.words * 8 <= StatisticsLayout.pageSize)
        #expect(SlotCounters.size == 128)
        #expect(ControllerCounter.allCases.count * 8 <= StatisticsLayout.headerSize)
        #expect(DurationHistogram.bounds.count + 1 == DurationHistogram.bucketCount)
        #expect(SlotCounters.bounds.count + 1 == SlotCounters.bucketCount)
        #expect(Set(ReasonCode.allCases.map { "\($0.text)" }).count == ReasonCode.allCases.count)
    }

    @Test func bucketsAgreeWithTheirBounds() {
        for (index, bound) in DurationHistogram.bounds.enumerated() {
            #expect(DurationHistogram.bucket(.nanoseconds(bound)) == index)
            #expect(DurationHistogram.bucket(.nanoseconds(bound + 1)) == index + 1)
        }
        for (index, bound) in SlotCounters.bounds.enumerated() {
            #expect(SlotCounters.bucket(.nanoseconds(bound)) == index)
            #expect(SlotCounters.bucket(.nanoseconds(bound + 1)) == index + 1)
        }
        #expect(DurationHistogram.bucket(.nanoseconds(-5)) == 0)
        #expect(DurationHistogram.bucket(.nanoseconds(.max)) == DurationHistogram.bucketCount - 1)
    }

    @Test func workersAreSummed() {
        let block = Block(workers: 2)
        let first = WorkerStatistics(base: block.base, worker: 0)
        let second = WorkerStatistics(base: block.base, worker: 1)
        first.requestEnded(
            status: 200, reason: .none, duration: .milliseconds(3), received: 10, sent: 20, route: 7)
        second.requestEnded(
            status: 404, reason: .noRoute, duration: .milliseconds(700), received: 1, sent: 2, route: 7)
        second.requestEnded(
            status: 0, reason: .downstreamTermination, duration: .seconds(1000), received: 0, sent: 0, route: 0)
        let reader = StatisticsReader(base: block.base, workers: 2)
        #expect(reader.requests == 3)
        #expect(reader.requests(statusClass: 2) == 1)
        #expect(reader.requests(statusClass: 4) == 1)
        #expect(reader.requests(statusClass: 0) == 1)
        #expect(reader.requests(.noRoute) == 1)
        #expect(reader.total(.requestBodyBytes) == 11)
        #expect(reader.total(.responseBodyBytes) == 22)
        #expect(reader.durationBuckets.reduce(0, +) == 3)
        #expect(reader.durationSum == .milliseconds(3 + 700 + 1_000_000))
        let slot = reader.slot(.route, 7)
        #expect(slot.classes == [0, 1, 0, 1, 0])
        #expect(slot.buckets == [1, 0, 0, 0, 1, 0])
        #expect(slot.mean == .nanoseconds(351_500_000))
        #expect(reader.slot(.route, 8).mean == nil)
        #expect(reader.slot(.endpoint, 7).requests == 0)
    }

    @Test(arguments: [(0, 0), (100, 0), (200, 1), (301, 2), (404, 3), (599, 4), (999, 4)])
    func statusClasses(status: UInt16, place: Int) {
        let block = Block(workers: 1)
        WorkerStatistics(base: block.base, worker: 0)
            .upstreamRequestEnded(status: status, duration: .zero, sent: 0, received: 0, endpoint: 3)
        #expect(StatisticsReader(base: block.base, workers: 1).slot(.endpoint, 3).classes[place] == 1)
    }

    @Test func aRespawnedWorkerKeepsItsSums() {
        let block = Block(workers: 1)
        let before = WorkerStatistics(base: block.base, worker: 0)
        before.increment(.downstreamConnections, by: 5)
        before.increment(.downstreamConnectionsNow, by: 5)
        let after = WorkerStatistics(base: block.base, worker: 0)
        after.begin()
        let reader = StatisticsReader(base: block.base, workers: 1)
        #expect(reader.total(.downstreamConnections) == 5)
        #expect(reader.total(.downstreamConnectionsNow) == 0)
    }

    @Test func slotsOutliveTheController() {
        let block = Block(workers: 1)
        let first = StatisticsRegion.slots(.endpoint, base: block.base)
        #expect(first.slot(for: 111) == 1)
        #expect(first.slot(for: 222) == 2)
        #expect(first.slot(for: 111) == 1)
        #expect(StatisticsRegion.slots(.route, base: block.base).used == 0)
        let second = StatisticsRegion.slots(.endpoint, base: block.base)
        #expect(second.used == 2)
        #expect(second.slot(for: 222) == 2)
        #expect(second.slot(for: 333) == 3)
    }

    @Test func slotsRunOut() {
        let block = Block(workers: 0)
        let table = StatisticsRegion.slots(.route, base: block.base)
        for identity in 1..<UInt64(StatisticsLayout.slotLimit) { #expect(table.slot(for: identity) == identity) }
        #expect(table.slot(for: 1 << 40) == 0)
        #expect(table.slot(for: 5) == 5)
    }
}
