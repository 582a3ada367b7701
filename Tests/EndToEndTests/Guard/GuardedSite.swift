import Core
import Glibc
import IO
import Support

/// A guard of a test, between gateways that come and go and a central one.
final class GuardedSite: @unchecked Sendable {
    let folder: TemporaryFolder
    let local: Backend
    let central: Backend
    let port: UInt16
    private(set) var keeper: Program?
    private(set) var gateway: Gateway?

    /// - Parameter keeps: a guard is started at once.
    init(keeps: Bool = true, options: [String]? = nil, descriptorLimit: Int? = nil) throws {
        folder = try TemporaryFolder()
        local = try Backend("local")
        central = try Backend("central")
        port = try Ports.free()
        if keeps { try startKeeper(options, descriptorLimit: descriptorLimit) }
    }

    var socket: String { folder.path + "/guard" }
    var keeperOutput: String { TemporaryFolder.text(folder.path + "/guard.output") }

    func startKeeper(_ options: [String]? = nil, descriptorLimit: Int? = nil) throws {
        keeper = try Program(
            Program.built("sluice"),
            ["guard", "--socket", socket] + (options ?? ["--central", central.address]),
            output: folder.path + "/guard.output", descriptorLimit: descriptorLimit)
        try Wait.until("the guard's socket; it printed:\n\(keeperOutput)") {
            (try? MessageSocket.connect(path: socket)) != nil
        }
    }

    /// SIGKILL, as the kernel does it when memory is short.
    func killKeeper() throws {
        keeper?.signal(SIGKILL)
        _ = try keeper?.waitForEnd()
        keeper = nil
    }

    func startGateway(workers: Int = 2, manifest: String? = nil, options: [String] = []) throws {
        gateway = try Gateway(
            manifest ?? Manifests.simple(ports: [port], backend: local.port), workers: workers,
            options: ["--guard", socket] + options)
    }

    /// The whole family, at once.
    func killGateway() throws {
        gateway?.program.signal(SIGKILL)
        _ = try gateway?.program.waitForEnd()
        gateway = nil
    }

    func stopGateway() throws {
        try gateway?.stop()
        gateway = nil
    }

    /// Whom a new connection reaches.
    func whom() throws -> String { try Client(port: port).request().text }

    func status() throws -> (text: String, code: Death) {
        let output = folder.path + "/status.\(SystemCalls.monotonicNow().nanoseconds)"
        let program = try Program(Program.built("sluice"), ["guard", "--socket", socket, "--status"], output: output)
        let death = try program.waitForEnd()
        return (TemporaryFolder.text(output), death)
    }

    func waitForStatus(_ words: String) throws {
        try Wait.until("the guard to say '\(words)'; it printed:\n\(keeperOutput)") {
            try status().text.contains(words)
        }
    }
}
