import Core
import Testing
import Upstream

@Suite("Latencies of a release") struct LatencyBucketsTests {
    @Test func eachBucketEndsAtItsBound() {
        for bucket in 0..<(LatencyBuckets.count - 1) {
            let bound = LatencyBuckets.bound(bucket)
            #expect(LatencyBuckets.bucket(bound) == bucket)
            #expect(LatencyBuckets.bucket(.nanoseconds(bound.nanoseconds + bound.nanoseconds / 500 + 1)) == bucket + 1)
        }
        #expect(LatencyBuckets.bucket(.zero) == 0)
        #expect(LatencyBuckets.bucket(.nanoseconds(-5)) == 0)
        #expect(LatencyBuckets.bucket(.seconds(1_000_000)) == LatencyBuckets.count - 1)
    }

    @Test func boundsGrow() {
        for bucket in 1..<LatencyBuckets.count {
            let ratio =
                Double(LatencyBuckets.bound(bucket).nanoseconds) / Double(LatencyBuckets.bound(bucket - 1).nanoseconds)
            #expect(ratio > 1.25 && ratio < 1.27)
        }
    }

    @Test func percentiles() {
        var histogram = LatencyHistogram()
        #expect(histogram.bucket(of: 0.99) == nil)
        for _ in 0..<99 { histogram.add(.milliseconds(10)) }
        histogram.add(.seconds(3))
        #expect(histogram.bucket(of: 0.99) == LatencyBuckets.bucket(.milliseconds(10)))
        #expect(histogram.bucket(of: 1) == LatencyBuckets.bucket(.seconds(3)))
        #expect(histogram.count(above: LatencyBuckets.bucket(.milliseconds(10))) == 1)
        #expect(histogram.count(above: LatencyBuckets.count - 1) == 0)
        #expect(histogram.total == 100)
    }
}
