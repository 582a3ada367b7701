import Config
import Core
import Glibc
import IO
import Telemetry
import Upstream

/// The files of `healthCheckLog`: a line of JSON for each outcome that a policy wants to see. Opened when first written to,
/// and again after a failure; a line that cannot be written is lost, and the log says so once for each file.
final class CheckLogs {
    private let log: Log
    private var files: [String: OwnedFile] = [:]
    private var failed: Set<String> = []

    private final class OwnedFile {
        let fd: OwnedFD
        init(_ fd: consuming OwnedFD) { self.fd = fd }
    }

    init(log: Log) { self.log = log }

    /// Closes those that no check writes to any more.
    func keep(_ paths: Set<String>) {
        for path in files.keys where !paths.contains(path) { files[path] = nil }
        failed.formIntersection(paths)
    }

    func write(
        _ plan: HealthCheckLogPlan, _ outcome: ProbeOutcome, isFirstFailure: Bool, change: ProbeSeries.Standing?,
        backend: String, _ target: ProbeTarget, wallNow: Int64
    ) {
        guard
            let event = Self.event(
                plan.events, isPassed: outcome.result == .passed, isFirstFailure: isFirstFailure, change: change)
        else { return }
        var json = JSONWriter()
        json.beginObject()
        json.field("timestamp", Timestamp.string(wallNow))
        json.field("event", event)
        json.field("backend", backend)
        json.field("endpoint", target.name)
        json.field("reason", outcome.reason)
        json.endObject()
        var line = json.finish()
        line.append(byte: ASCII.lf)
        append(line.view, to: plan.path)
    }

    /// What a policy that wants these events is told of an outcome; nil: nothing.
    static func event(
        _ wanted: HealthCheckLogPlan.Events, isPassed: Bool, isFirstFailure: Bool, change: ProbeSeries.Standing?
    ) -> String? {
        if isPassed {
            if change == .passing, wanted.contains(.healthyTransition) { return "HealthyTransition" }
            return wanted.contains(.success) ? "Success" : nil
        }
        if isFirstFailure, wanted.contains(.failureSeriesStart) { return "FailureSeriesStart" }
        return wanted.contains(.failure) ? "Failure" : nil
    }

    private func append(_ line: ByteView, to path: String) {
        guard let file = files[path] ?? open(path) else { return }
        files[path] = file
        if Glibc.write(file.fd.raw, line.base, line.count) == line.count {
            failed.remove(path)
        } else {
            files[path] = nil
            tell(path, Errno(errno))
        }
    }

    private func open(_ path: String) -> OwnedFile? {
        // A FIFO without a reader must not stop the controller.
        let fd = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard fd >= 0 else {
            tell(path, Errno(errno))
            return nil
        }
        return OwnedFile(OwnedFD(adopting: fd))
    }

    private func tell(_ path: String, _ error: Errno) {
        guard failed.insert(path).inserted else { return }
        log.warning("a log of health checks cannot be written", ["path": .text(path), "reason": .text("\(error)")])
    }
}
