import Connection
import Core
import Glibc
import IO

extension Command {
    static let echo = Command(
        name: "echo", synopsis: "echo --listen ADDR [OPTION…]",
        summary: "A small backend for trying things: answers with what it received, as JSON.",
        options: """
              --listen ADDR           IP:PORT; port 0 takes a free one, which is printed
              --name NAME             what it calls itself in 'pod' (default: $POD_NAME, or echo)

            HTTP/1.1, and WebSocket (every message back as it came) on any path. /health answers 200, /status/NNN that
            status, ?delay=1s waits first. $NAMESPACE, $SERVICE_NAME and $INGRESS_NAME are told as they are.
            """
    ) { arguments throws(UsageError) in
        var address: SocketAddress?
        var identity = EchoIdentity()
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
            case .option("--tls"): throw UsageError("--tls is not in this version; echo speaks HTTP/1.1 in clear text")
            case .option(let other): throw reader.unknown(other, among: ["--listen", "--name"])
            }
        }
        guard let address else { throw UsageError("where? write --listen IP:PORT") }
        return try serve(address, identity)
    }

    private static func serve(_ address: SocketAddress, _ identity: EchoIdentity) throws(UsageError) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let socket: OwnedFD
        do throws(Errno) {
            if address.port > 0, let conflict = Socket.conflict(address) { throw conflict }
            socket = try Socket.listen(address)
        } catch {
            throw UsageError("--listen \(address): \(error)")
        }
        let bound = Socket.localAddress(socket.raw) ?? address
        let loop = EventLoop()
        let server = EchoServer(
            listener: socket.raw, port: bound.port, identity: identity, resources: ConnectionResources(loop: loop))
        Output.error("echo '\(identity.pod)' listens on \(bound)")
        withExtendedLifetime(server) { loop.run() }
        return 0
    }
}
