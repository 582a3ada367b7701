import Config
import Core
import Glibc
import IO
import Manifest
import Telemetry
import Upstream

/// The JSON bodies of the admin interface.
enum AdminJSON {
    static let contentType: StaticString = "application/json"

    /// The text with a final line feed, for people with curl.
    static func end(_ json: consuming JSONWriter) -> ByteBuffer {
        var buffer = json.finish()
        buffer.append(byte: ASCII.lf)
        return buffer
    }

    static func resources(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.key("resources")
        if var resolution = controller.live?.resolution {
            resolution.tell(controller.rollouts.watched.map(\.condition), date: Timestamp.string)
            resolution.writeResources(to: &json)
        } else {
            json.beginArray()
            json.endArray()
        }
        json.endObject()
        return end(json)
    }

    static func config(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("generation", controller.live?.generation ?? 0)
        json.key("loadedAt")
        if let live = controller.live { json.value(Timestamp.string(live.loadedAt)) } else { json.null() }
        json.key("source")
        json.beginArray()
        for path in controller.options.paths { json.value(path) }
        json.endArray()
        json.key("hash")
        if let live = controller.live { json.value(hexadecimal(live.hash)) } else { json.null() }
        json.field("revision", controller.live?.revision ?? 0)
        json.key("lastAttempt")
        if let outcome = controller.lastOutcome {
            json.beginObject()
            json.field("at", Timestamp.string(outcome.at))
            json.field("ok", outcome.isApplied)
            json.field("trigger", outcome.trigger.rawValue)
            json.field("message", outcome.message)
            write(outcome.findings, to: &json)
            json.endObject()
        } else {
            json.null()
        }
        json.endObject()
        return end(json)
    }

    /// What `POST /api/reload` answers.
    static func outcome(_ outcome: ReloadOutcome) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("ok", outcome.isApplied)
        json.field("generation", outcome.generation)
        json.field("at", Timestamp.string(outcome.at))
        json.field("message", outcome.message)
        write(outcome.findings, to: &json)
        json.endObject()
        return end(json)
    }

    private static func write(_ findings: [Finding], to json: inout JSONWriter) {
        json.key("findings")
        json.beginArray()
        for finding in findings { finding.write(to: &json) }
        json.endArray()
    }

    static func backends(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.key("backends")
        json.beginArray()
        if let live = controller.live {
            let snapshot = live.snapshot
            let reader = controller.reader
            let liveState = controller.liveState
            let header = snapshot.header.pointee
            for number in 0..<Int(header.clusters.count) {
                write(
                    snapshot[header.clusters, number].pointee, snapshot, reader, liveState, controller.health,
                    to: &json)
            }
        }
        json.endArray()
        json.endObject()
        return end(json)
    }

    private static func write(
        _ cluster: ClusterConfig, _ snapshot: Snapshot, _ reader: StatisticsReader, _ liveState: LiveState,
        _ watch: HealthWatch, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.field("name", snapshot.text(cluster.name))
        switch cluster.backendProtocol {
        case .http1: json.field("protocol", "http1")
        case .http2: json.field("protocol", "http2")
        case .negotiated: json.field("protocol", "http1 or http2")
        case .opaque: json.field("protocol", "tcp or udp")
        }
        // As Envoy counts: a Backend with `fallback` is of the second priority.
        json.field("priority", cluster.isFallback ? 1 : 0)
        // How many workers send its requests to the central gateway now.
        if cluster.slot != 0 { json.field("divertedWorkers", liveState.cluster(cluster.slot).sum(.diverted)) }
        write(liveState.cluster(cluster.slot), cluster, snapshot, to: &json)
        json.key("endpoints")
        json.beginArray()
        for number in 0..<Int(cluster.endpoints.count) {
            let endpoint = snapshot[cluster.endpoints, number].pointee
            let slot = reader.slot(.endpoint, endpoint.slot)
            json.beginObject()
            json.field("address", snapshot.name(of: endpoint))
            json.field("weight", Int(endpoint.weight))
            json.field("zone", snapshot.text(endpoint.zone))
            json.field("connectionsNow", liveState.connectionCount(endpoint.slot))
            write(EndpointReport(endpoint.slot, watch), to: &json)
            json.field("requestsInFlight", liveState.inFlight(endpoint.slot))
            json.field("requests", slot.requests)
            json.field("errors", slot.classes[4] + slot.classes[0])
            json.field("connections", slot.connections)
            json.field("connectFailures", slot.connectFailures)
            json.key("latencyMs")
            if let mean = slot.mean { json.value(Double(mean.nanoseconds / 1000) / 1000) } else { json.null() }
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    /// What of the backend is in use, of all workers, and how much may be.
    private static func write(
        _ cell: ClusterCell, _ cluster: ClusterConfig, _ snapshot: Snapshot, to json: inout JSONWriter
    ) {
        let limits =
            cluster.traffic.isEmpty ? CircuitBreakerPlan() : snapshot[cluster.traffic, 0].pointee.circuitBreaker
        json.key("circuitBreaker")
        json.beginObject()
        json.field("requests", cell.sum(.requests))
        json.field("maxParallelRequests", Int(limits.maxParallelRequests))
        json.field("connections", cell.sum(.connections))
        json.field("maxConnections", Int(limits.maxConnections))
        json.field("pending", cell.sum(.pending))
        json.field("maxPendingRequests", Int(limits.maxPendingRequests))
        json.field("retries", cell.sum(.retries))
        json.field("maxParallelRetries", Int(limits.maxParallelRetries))
        json.endObject()
    }

    private static func write(_ report: EndpointReport, to json: inout JSONWriter) {
        json.field("health", report.health)
        json.field("healthReason", report.reason)
        json.field("usable", report.isUsable)
        json.field("stale", report.isStale)
        json.field("ejections", Int(report.ejections))
        json.key("ejectedUntil")
        if let until = report.ejectedUntil { json.value(Timestamp.string(until)) } else { json.null() }
    }

    /// What `sluice status` shows: everything at once, so that it is one moment.
    static func status(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("version", controller.version)
        json.field("pid", Int(getppid()))
        json.field("generation", controller.live?.generation ?? 0)
        json.key("loadedAt")
        if let live = controller.live { json.value(Timestamp.string(live.loadedAt)) } else { json.null() }
        json.key("notReady")
        if let reason = controller.unreadiness { json.value(reason) } else { json.null() }
        json.field("draining", controller.isDraining)
        json.key("lastAttempt")
        if let outcome = controller.lastOutcome {
            json.beginObject()
            json.field("at", Timestamp.string(outcome.at))
            json.field("ok", outcome.isApplied)
            json.field("message", outcome.message)
            json.endObject()
        } else {
            json.null()
        }
        writeWorkers(controller, to: &json)
        writeListeners(controller, to: &json)
        writeCertificates(controller, to: &json)
        writeNames(controller, to: &json)
        writeTraffic(controller.reader, to: &json)
        writeRollouts(controller, to: &json)
        json.endObject()
        return end(json)
    }

    private static func writeWorkers(_ controller: Controller, to json: inout JSONWriter) {
        json.field("controllerRestarts", UInt64(controller.controllerRestarts))
        if let service = controller.options.rateLimitService {
            json.key("rateLimitService")
            json.beginObject()
            json.field("address", service)
            json.field("workersConnected", controller.reader.total(.rateLimitServiceNow))
            json.endObject()
        }
        json.key("workers")
        json.beginArray()
        let reader = controller.reader
        for worker in controller.workers {
            json.beginObject()
            json.field("index", Int(worker.index))
            json.field("state", MetricsPage.state(worker.state).rawValue)
            json.field("pid", Int(worker.pid))
            json.field("restarts", Int(worker.restarts))
            json.field("connections", reader.value(.downstreamConnectionsNow, worker: Int(worker.index)))
            json.field("requests", reader.value(.requestsNow, worker: Int(worker.index)))
            json.endObject()
        }
        json.endArray()
    }

    /// Host names of backends and of central gateways that have no answer now.
    private static func writeNames(_ controller: Controller, to json: inout JSONWriter) {
        json.key("unansweredNames")
        json.beginArray()
        for name in controller.names.unanswered {
            json.beginObject()
            json.field("name", name.name)
            json.field("reason", name.reason)
            json.field("addressesKept", name.addressesKept)
            json.endObject()
        }
        json.endArray()
    }

    private static func writeListeners(_ controller: Controller, to json: inout JSONWriter) {
        json.key("listeners")
        json.beginArray()
        if let live = controller.live {
            let snapshot = live.snapshot
            let header = snapshot.header.pointee
            // By the plan's order: the listeners of one socket follow each other in the block.
            for number in 0..<Int(header.listeners.count) {
                let listener = snapshot[header.listeners, number].pointee
                json.beginObject()
                json.field(
                    "gateway",
                    snapshot.text(listener.gatewayNamespace).string + "/"
                        + snapshot.text(listener.gatewayName).string)
                json.field("name", snapshot.text(listener.name))
                json.field("port", Int(listener.port))
                json.field("hostname", snapshot.text(listener.hostname))
                json.endObject()
            }
        }
        json.endArray()
        json.key("addresses")
        json.beginArray()
        if let live = controller.live {
            let header = live.snapshot.header.pointee
            for number in 0..<Int(header.sockets.count) {
                json.beginObject()
                let socket = live.snapshot[header.sockets, number].pointee
                json.field("address", ListeningAddress(socket.transport, socket.address).description)
                json.field("bound", true)
                json.endObject()
            }
            for address in live.unbound {
                json.beginObject()
                json.field("address", address.description)
                json.field("bound", false)
                json.endObject()
            }
        }
        json.endArray()
    }

    private static func writeCertificates(_ controller: Controller, to json: inout JSONWriter) {
        json.key("certificates")
        json.beginArray()
        for certificate in controller.live?.resolution?.certificates ?? [] {
            json.beginObject()
            json.field("secret", certificate.name)
            json.key("names")
            json.beginArray()
            for name in certificate.names { json.value(name) }
            json.endArray()
            // Some certificates have no end but the year 9999 (RFC 5280, section 4.1.2.5); nanoseconds end in 2262.
            let notAfter = min(certificate.notAfter, Int64.max / 1_000_000_000)
            json.field("notAfter", Timestamp.string(notAfter * 1_000_000_000))
            json.field(
                "daysLeft", Int(certificate.daysLeft(atSecond: controller.loop.wallNow / 1_000_000_000)))
            if let staleness = certificate.staleness { json.field("keptBecause", staleness) }
            json.endObject()
        }
        json.endArray()
    }

    private static func writeTraffic(_ reader: StatisticsReader, to json: inout JSONWriter) {
        json.key("traffic")
        json.beginObject()
        json.field("connections", reader.total(.downstreamConnectionsNow))
        json.field("requestsActive", reader.total(.requestsNow))
        json.field("upgradesActive", reader.total(.upgradesNow))
        json.field("requests", reader.requests)
        for place in 1..<6 {
            json.field(["1xx", "2xx", "3xx", "4xx", "5xx"][place - 1], reader.requests(statusClass: place))
        }
        json.field("upstreamPooled", reader.total(.upstreamPooledNow))
        json.endObject()
    }

    static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
