import Core
import Glibc
import IO
import Testing

@testable import Telemetry

@Suite("Access log output")
struct AccessLogTests {
    private func with(_ body: (EventLoop, WorkerStatistics, StatisticsReader, String) throws -> Void) throws {
        let size = StatisticsRegion.size(workers: 1)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let base = try #require(mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0))
        defer { munmap(base, size) }
        let path = "/tmp/sluice-access-log-\(getpid())-\(SystemCalls.monotonicNow().nanoseconds)"
        defer { unlink(path) }
        try body(
            EventLoop(), WorkerStatistics(base: base, worker: 0), StatisticsReader(base: base, workers: 1), path)
    }

    private func record(_ target: StaticString = "/") -> AccessRecord {
        var record = AccessRecord()
        record.method = "GET"
        record.target = ByteView(target)
        record.status = 200
        return record
    }

    private func text(_ path: String) -> String {
        let fd = open(path, O_RDONLY)
        defer { close(fd) }
        var all: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(fd, &block, block.count)
            guard count > 0 else { break }
            all += block[..<count]
        }
        return String(decoding: all, as: UTF8.self)
    }

    @Test func aLineWaitsForItsAge() throws {
        try with { loop, statistics, _, path in
            let log = try AccessLog(.file(.text, path: path), loop: loop, statistics: statistics)
            log.append(record("/waits"))
            loop.turn(limit: 0)
            #expect(text(path).isEmpty)
            let end = SystemCalls.monotonicNow() + .seconds(5)
            while text(path).isEmpty, SystemCalls.monotonicNow() < end { loop.turn(limit: 20) }
            #expect(text(path).contains("\"/waits\""))
            log.close()
        }
    }

    @Test func aLargeBatchIsWrittenAtTheEndOfItsTurn() throws {
        try with { loop, statistics, _, path in
            let log = try AccessLog(.file(.json, path: path), loop: loop, statistics: statistics)
            for _ in 0..<200 { log.append(record()) }
            #expect(text(path).isEmpty)
            loop.turn(limit: 0)
            #expect(text(path).split(separator: "\n").count == 200)
            log.close()
        }
    }

    /// A reader that does not read: lines are lost and counted, those that come through are whole, nothing waits.
    @Test func aFullPipeLosesWholeLines() throws {
        try with { loop, statistics, reader, path in
            #expect(mkfifo(path, 0o600) == 0)
            let end = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(end) }
            let log = try AccessLog(.file(.text, path: path), loop: loop, statistics: statistics)
            let appended = 20_000
            for number in 0..<appended {
                log.append(record())
                if number % 100 == 0 { loop.turn(limit: 0) }
            }
            #expect(reader.total(.accessLogLostLines) > 0)
            var all: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 65536)
            let limit = SystemCalls.monotonicNow() + .seconds(5)
            while SystemCalls.monotonicNow() < limit {
                let count = read(end, &block, block.count)
                if count > 0 {
                    all += block[..<count]
                    continue
                }
                log.flush()
                if read(end, &block, 0) == 0, all.last == ASCII.lf,
                    UInt64(all.filter { $0 == ASCII.lf }.count)
                        + reader.total(.accessLogLostLines) == UInt64(appended)
                {
                    break
                }
            }
            let lines = String(decoding: all, as: UTF8.self).split(separator: "\n")
            #expect(UInt64(lines.count) + reader.total(.accessLogLostLines) == UInt64(appended))
            #expect(lines.allSatisfy { $0.hasPrefix("[1970-01-01T00:00:00.000Z] GET \"/\"") && $0.hasSuffix("\"-\"") })
            log.close()
        }
    }

    @Test func aFileIsOpenedAnew() throws {
        try with { loop, statistics, _, path in
            let log = try AccessLog(.file(.text, path: path), loop: loop, statistics: statistics)
            log.append(record("/before"))
            rename(path, path + ".1")
            defer { unlink(path + ".1") }
            #expect(log.reopen() == nil)
            log.append(record("/after"))
            log.flush()
            #expect(text(path + ".1").contains("/before") && !text(path + ".1").contains("/after"))
            #expect(text(path).contains("/after"))
            log.close()
        }
    }

    @Test func aFileThatCannotBeOpened() throws {
        try with { loop, statistics, _, _ in
            #expect(throws: Errno(ENOENT)) {
                try AccessLog(.file(.text, path: "/nowhere/access.log"), loop: loop, statistics: statistics)
            }
            let off = try AccessLog(.off, loop: loop, statistics: statistics)
            #expect(!off.isOn)
            off.append(record())
        }
    }
}
