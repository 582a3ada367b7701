import Connection
import Core
import Glibc
import IO
import TLS

extension Command {
    static let echo = Command(
        name: "echo", synopsis: "echo --listen ADDR [--name NAME] [--tls CERT KEY] [--call URL]… [--via ADDR]",
        summary: "A small backend for trying things: answers with what it received, as JSON.",
        options: """
              --listen ADDR           IP:PORT; port 0 takes a free one, which is printed
              --name NAME             what it calls itself in 'pod' (default: $POD_NAME, or echo)
              --tls CERT KEY          HTTPS only, with the certificate and key of these PEM files
              --call URL              calls http://HOST[:PORT][/PATH] before it answers, with the trace's fields of the
                                      request, and tells what came of it in 'calls' and x-echo-chain; may be repeated
              --via ADDR              where those calls go, whatever their host: the IP:PORT of a gateway

            HTTP/1.1, HTTP/2 (by prior knowledge, or by ALPN over TLS), WebSocket over both (every message back as it came)
            and gRPC (every method answers its messages; grpc.health.v1.Health/Check) on any path. /health answers 200,
            /status/NNN that status, ?delay=1s waits first. $NAMESPACE, $SERVICE_NAME and $INGRESS_NAME are told as they are.
            """
    ) { arguments throws(UsageError) in
        var address: SocketAddress?
        var identity = EchoIdentity()
        var pair: (certificate: String, key: String)?
        var urls: [String] = []
        var via: SocketAddress?
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let word): throw UsageError("takes no '\(word)'; only options")
            case .option("--listen"):
                let text = try reader.value("IP:PORT")
                guard let found = SocketAddress(text) else {
                    throw UsageError("--listen '\(text)': write IP:PORT such as 127.0.0.1:9001")
                }
                address = found
            case .option("--name"): identity.pod = try reader.value("NAME")
            case .option("--tls"):
                let certificate = try reader.value("CERT KEY")
                pair = (certificate, try reader.value("CERT KEY"))
            case .option("--call"): urls.append(try reader.value("URL"))
            case .option("--via"):
                let text = try reader.value("IP:PORT")
                guard let found = SocketAddress(text) else {
                    throw UsageError("--via '\(text)': write the IP:PORT of a gateway, such as 127.0.0.1:15080")
                }
                via = found
            case .option(let other):
                throw reader.unknown(other, among: ["--listen", "--name", "--tls", "--call", "--via"])
            }
        }
        guard let address else { throw UsageError("where? write --listen IP:PORT") }
        var front: TLSFront?
        if let pair { front = try secured(certificate: pair.certificate, key: pair.key) }
        var targets: [OnwardTarget] = []
        for url in urls {
            guard let target = OnwardTarget(url, via: via) else {
                throw UsageError(
                    "--call '\(url)': write http://HOST[:PORT][/PATH]; a host that is no IP address needs --via IP:PORT"
                )
            }
            targets.append(target)
        }
        return try serve(address, front, identity, targets)
    }

    /// One certificate for whatever name is asked for. Clients' certificates are asked for, and shown in the answers.
    private static func secured(certificate: String, key: String) throws(UsageError) -> TLSFront {
        var settings = ServerTLSSettings(certificates: [
            KeyPairSettings(name: certificate, chain: try text(certificate), key: try text(key))
        ])
        settings.parameters.alpn = ["h2", "http/1.1"]
        settings.clientValidation = ClientValidation(mode: .unverified, authorities: "")
        do throws(TLSSettingsError) {
            let context = try TLSContext(server: settings)
            return TLSFront { _ in context }
        } catch {
            throw UsageError("--tls \(certificate) \(key): \(error)")
        }
    }

    private static func text(_ path: String) throws(UsageError) -> String {
        guard let file = fopen(path, "r") else { throw UsageError("--tls \(path): \(Errno(errno))") }
        defer { fclose(file) }
        var octets: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 * 1024)
        // A chain is a few kilobytes; more than a megabyte is another file.
        while octets.count < 1 << 20 {
            let count = fread(&block, 1, block.count, file)
            guard count > 0 else { break }
            octets += block[..<count]
        }
        return String(decoding: octets, as: UTF8.self)
    }

    private static func serve(
        _ address: SocketAddress, _ front: TLSFront?, _ identity: EchoIdentity, _ targets: [OnwardTarget]
    ) throws(UsageError) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let socket: OwnedFD
        do throws(Errno) {
            if address.port > 0, let conflict = Socket.conflict(address) { throw conflict }
            socket = try Socket.listen(address)
        } catch {
            let remedy = error.code == EADDRINUSE ? "; choose another port, 0 takes a free one" : ""
            throw UsageError("--listen \(address): \(error)\(remedy)")
        }
        let bound = Socket.localAddress(socket.raw) ?? address
        let loop = EventLoop()
        let server = EchoServer(
            listener: socket.raw, port: bound.port, front: front, identity: identity,
            targets: targets, resources: ConnectionResources(loop: loop))
        Output.error("echo '\(identity.pod)' listens on \(bound)")
        withExtendedLifetime(server) { loop.run() }
        return 0
    }
}
