import Core
import Glibc

/// `sluice echo` as a backend of a test: HTTP/1.1 and HTTP/2 by prior knowledge, or over TLS. Ended when the test lets go of it.
public final class EchoBackend: Sendable {
    public let program: Program
    public let port: UInt16
    private let folder: TemporaryFolder

    /// - Parameter tls: the pair it shows; nil: clear text.
    /// - Parameter options: further ones of `sluice echo`.
    public init(_ name: String = "echo", tls: TestCertificates.Pair? = nil, options: [String] = []) throws {
        folder = try TemporaryFolder()
        var words = ["echo", "--listen", "127.0.0.1:0", "--name", name] + options
        if let tls {
            words += ["--tls", try folder.write("site.pem", tls.chain), try folder.write("site.key", tls.key)]
        }
        let program = try Program(Program.built("sluice"), words, output: folder.path + "/output")
        self.program = program
        port = try Wait.forValue("echo to listen; it printed:\n\(program.output)") {
            if let death = program.death { throw TimedOut("echo ended (\(death)); it printed:\n\(program.output)") }
            let line = program.output.split(separator: "\n").first { $0.contains(" listens on ") }
            return line?.split(separator: ":").last.flatMap { UInt16($0) }
        }
    }
}
