import Core
import Glibc
import Testing

@testable import Telemetry

@Suite("Prometheus text")
struct MetricsReportTests {
    private func report(
        _ count: (WorkerStatistics) -> Void = { _ in }, _ edit: (inout MetricsSource) -> Void = { _ in }
    )
        -> [String]
    {
        let size = StatisticsRegion.size(workers: 2)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0) else { return [] }
        defer { munmap(base, size) }
        count(WorkerStatistics(base: base, worker: 1))
        var source = MetricsSource(
            version: "1.2.3", reader: StatisticsReader(base: base, workers: 2),
            controller: ControllerStatistics(base: base))
        edit(&source)
        return MetricsReport.write(source).view.string.split(separator: "\n").map(String.init)
    }

    @Test func everyFamilyIsAnnounced() {
        let lines = report()
        for family in MetricFamily.all {
            #expect(lines.contains("# TYPE \(family.name) \(family.kind.rawValue)"))
            #expect(lines.contains("# HELP \(family.name) \(family.help)"))
            #expect("\(family.name)".hasPrefix("sluice_"))
            #expect("\(family.name)".hasSuffix("_total") == (family.kind == .counter))
        }
        #expect(Set(MetricFamily.all.map { "\($0.name)" }).count == MetricFamily.all.count)
    }

    @Test func plainValues() {
        let lines = report {
            $0.increment(.downstreamConnections, by: 3)
            $0.increment(.accessLogLostLines, by: 2)
            $0.set(.generationNow, 7)
        } _: {
            $0.generation = 7
            $0.workers = [
                .init(index: 0, state: .serving, restarts: 0), .init(index: 1, state: .backingOff, restarts: 4),
            ]
        }
        for line in [
            #"sluice_build_info{version="1.2.3"} 1"#, "sluice_config_generation 7",
            "sluice_downstream_connections_total 3", "sluice_access_log_lost_lines_total 2",
            #"sluice_worker_config_generation{worker="0"} 0"#, #"sluice_worker_config_generation{worker="1"} 7"#,
            #"sluice_workers{state="serving"} 1"#, #"sluice_workers{state="backing_off"} 1"#,
            #"sluice_worker_restarts_total{worker="1"} 4"#, "sluice_config_reload_failures_total 0",
        ] {
            #expect(lines.contains(line))
        }
    }

    @Test func requestsAndTheirDurations() {
        let lines = report {
            $0.requestEnded(status: 200, reason: .none, duration: .milliseconds(3), received: 0, sent: 5, route: 4)
            $0.requestEnded(
                status: 503, reason: .noHealthyUpstream, duration: .seconds(300), received: 0, sent: 5, route: 4)
        } _: {
            $0.routes = [.init(name: "a/\"b\\", slot: 4), .init(name: "a/quiet", slot: 5)]
        }
        for line in [
            #"sluice_requests_total{code_class="2xx"} 1"#, #"sluice_requests_total{code_class="none"} 0"#,
            #"sluice_request_reasons_total{reason="UH"} 1"#,
            #"sluice_request_duration_seconds_bucket{le="0.002"} 0"#,
            #"sluice_request_duration_seconds_bucket{le="0.005"} 1"#,
            #"sluice_request_duration_seconds_bucket{le="100"} 1"#,
            #"sluice_request_duration_seconds_bucket{le="+Inf"} 2"#,
            "sluice_request_duration_seconds_sum 300.003", "sluice_request_duration_seconds_count 2",
            #"sluice_route_requests_total{route="a/\"b\\",code_class="5xx"} 1"#,
            #"sluice_route_request_duration_seconds_bucket{route="a/\"b\\",le="0.025"} 1"#,
            #"sluice_route_response_body_bytes_total{route="a/\"b\\"} 10"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains { $0.contains("quiet") })
    }

    @Test func endpoints() {
        let lines = report {
            $0.upstreamConnected(endpoint: 9)
            $0.upstreamRequestEnded(status: 404, duration: .milliseconds(30), sent: 1, received: 2, endpoint: 9)
        } _: {
            let address = SocketAddress(ip: IPAddress(v4: 10, 0, 0, 1), port: 80)
            $0.endpoints = [.init(backend: "a/b:80", address: address.description, slot: 9)]
        }
        #expect(
            lines.contains(
                #"sluice_endpoint_requests_total{backend="a/b:80",endpoint="10.0.0.1:80",code_class="4xx"} 1"#))
        #expect(lines.contains(#"sluice_endpoint_connections_total{backend="a/b:80",endpoint="10.0.0.1:80"} 1"#))
    }

    /// The page is written anew with `SLUICE_WRITE_DOCS=1 swift test --filter MetricsReportTests`.
    @Test func theDocumentationIsMadeFromTheTable() throws {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let path = here.dropLast(3).joined(separator: "/") + "/docs/metrics.md"
        if getenv("SLUICE_WRITE_DOCS") != nil {
            let file = try #require(fopen(path, "w"))
            fputs(MetricFamily.documentation, file)
            fclose(file)
        }
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&text, 1, text.count, file)
        #expect(String(decoding: text[..<count], as: UTF8.self) == MetricFamily.documentation)
    }
}
