import Core
import Glibc
import IO

/// A real gateway of a test: the program itself on manifests in a folder of its own, with its admin interface at a path
/// there. Ended, whatever happens, when the test lets go of it.
public final class Gateway: @unchecked Sendable {
    public let folder: TemporaryFolder
    public let program: Program

    /// Writes the manifests and starts the program; returns when it is ready, or throws with what it printed.
    /// - Parameters:
    ///   - manifests: by file name.
    ///   - workers: how many processes serve.
    ///   - options: more words after `run`.
    ///   - ready: whether to wait until `/readyz` says so.
    public init(
        _ manifests: [String: String], workers: Int = 1, options: [String] = [],
        environment: [String: String] = [:], descriptorLimit: Int? = nil, waitUntilReady ready: Bool = true
    ) throws {
        folder = try TemporaryFolder()
        for (name, text) in manifests { try folder.write("manifests/" + name, text) }
        program = try Program(
            Program.built("sluice"),
            ["run", "--workers", "\(workers)", "--admin", "unix:" + folder.path + "/admin"] + options
                + [folder.path + "/manifests"],
            environment: environment, output: folder.path + "/output", descriptorLimit: descriptorLimit)
        if ready { try waitUntilReady() }
    }

    /// One manifest.
    public convenience init(
        _ manifest: String, workers: Int = 1, options: [String] = [], environment: [String: String] = [:],
        descriptorLimit: Int? = nil
    ) throws {
        try self.init(
            ["gateway.yaml": manifest], workers: workers, options: options, environment: environment,
            descriptorLimit: descriptorLimit)
    }

    public func waitUntilReady() throws {
        try Wait.until("the gateway to be ready; it printed:\n\(output)") {
            if let death = program.death { throw TimedOut("the gateway ended (\(death)); it printed:\n\(output)") }
            return (try? admin("/readyz").status) == 200
        }
    }

    /// Everything the family has printed: log, access log, findings.
    public var output: String { program.output }

    /// One request to the admin interface.
    public func admin(_ target: String, method: String = "GET") throws -> Response {
        try Client(path: folder.path + "/admin").request(
            method, target, host: "admin", fields: [("Connection", "close")], body: method == "POST" ? [] : nil)
    }

    /// N of `/api/config`; 0 when none is live.
    public var generation: Int {
        guard let text = try? admin("/api/config").text, let name = text.firstRange(of: "\"generation\"") else {
            return 0
        }
        return Int(text[name.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
    }

    /// Replaces manifests; nil removes one. Nothing is loaded yet.
    public func write(_ manifests: [String: String?]) throws {
        for (name, text) in manifests {
            if let text { try folder.write("manifests/" + name, text) } else { folder.remove("manifests/" + name) }
        }
    }

    /// Replaces manifests, sends SIGHUP and waits for the next generation.
    public func reload(_ manifests: [String: String?] = [:]) throws {
        let before = generation
        try write(manifests)
        program.signal(SIGHUP)
        try Wait.until("generation \(before + 1); it printed:\n\(output)") { generation > before }
    }

    /// SIGTERM, and its end.
    @discardableResult
    public func stop() throws -> Death {
        program.signal(SIGTERM)
        return try program.waitForEnd()
    }

    /// The family's processes by the names that ps(1) shows.
    public func processes(_ title: String) -> [Int32] {
        program.children.filter { $0.commandLine.hasPrefix(title) }.map(\.pid)
    }
    public func worker(_ index: Int) -> Int32? { processes("sluice: worker \(index) ").first }
    public var controller: Int32? { processes("sluice: controller").first }
}

extension String {
    /// Without Foundation: where `text` first occurs.
    fileprivate func firstRange(of text: String) -> Range<String.Index>? { self.ranges(of: text).first }
}
