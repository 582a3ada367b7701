import Core
import Glibc
import Guard
import IO
import Telemetry

extension Command {
    static let guardian = Command(
        name: "guard", synopsis: "guard --socket PATH [OPTION…]",
        summary: "Holds the listening sockets of a gateway, and relays to a central one while the gateway is gone.",
        options: """
              --socket PATH           where 'sluice run --guard PATH' finds it (mode 0600: this user and root)
              --central ADDR[,ADDR…]  central gateways, the preferred first: IP or IP:PORT (without: the port that was
                                      called); for addresses whose Gateway names none in sluice.dev/fallback-gateway, or
                                      hbone:// ones only, which serve listeners of protocol HBONE alone
              --proxy-protocol        begin each relayed connection with a PROXY header, version 2
              --linger D              relayed connections may go on so long after the gateway is back (default 10m)
              --drain-timeout D       and so long after the guard was told to end (default 30s)
              --max-connections N     relayed at once (default 16384, and what descriptors allow)
              --max-connections-per-peer N
                                      of those, from one address of another machine (default: a quarter)
              --log-level LEVEL       debug, info, warning or error (default info)
              --status                print what the guard at PATH is doing; start none

            Where no central gateway is named, connections wait in the sockets until the gateway is back; 'sluice run'
            warns of such addresses, and --status tells of them.
            Exit status: 0 it was told to end (--status: the gateway serves, or none was ever there); 1 it cannot begin
            (--status: the guard stands in); 2 the command line is wrong, or no guard answers.
            """
    ) { arguments throws(UsageError) in
        var options = GuardOptions()
        var isQuestion = false
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let word): throw UsageError("takes no '\(word)'; only options")
            case .option("--socket"): options.socketPath = try reader.value("PATH")
            case .option("--central"):
                let text = try reader.value("ADDR[,ADDR…]")
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    guard let address = CentralAddress(String(part)) else {
                        throw UsageError("--central '\(text)': '\(part)' \(Self.objection(to: part))")
                    }
                    options.central.append(address)
                }
                guard options.central.count <= GuardProtocol.centralLimit else {
                    throw UsageError("--central '\(text)': at most \(GuardProtocol.centralLimit) addresses")
                }
            case .option("--proxy-protocol"): options.tellsClients = true
            case .option("--linger"): options.linger = try reader.duration()
            case .option("--drain-timeout"): options.drainTimeout = try reader.duration()
            case .option("--max-connections"): options.connections = try reader.number("N", in: 1...1_000_000)
            case .option("--max-connections-per-peer"):
                options.peerConnections = try reader.number("N", in: 1...1_000_000)
            case .option("--log-level"):
                let text = try reader.value("LEVEL")
                guard let level = LogLevel(rawValue: text) else {
                    throw UsageError("--log-level '\(text)': write debug, info, warning or error")
                }
                options.logLevel = level
            case .option("--status"): isQuestion = true
            case .option(let other):
                throw reader.unknown(
                    other,
                    among: [
                        "--socket", "--central", "--proxy-protocol", "--linger", "--drain-timeout", "--max-connections",
                        "--max-connections-per-peer", "--log-level", "--status",
                    ])
            }
        }
        guard !options.socketPath.isEmpty else { throw UsageError("where? write --socket PATH") }
        if isQuestion { return try tellStatus(options.socketPath) }
        let log = Log(level: options.logLevel, speaker: "guard")
        return Guard.run(options) { notice in
            log.write(
                notice.level, notice.text, notice.facts.lazy.map { (key: $0.key, value: LogValue.text($0.value)) })
        }
    }

    /// Why an element of `--central` is none.
    private static func objection(to text: Substring) -> StaticString {
        if text.utf8.starts(with: "hbone://".utf8) {
            return "needs a tunnel, and the guard relays octets as they are: write IP:PORT of a port that takes those"
        }
        if text.isEmpty || text.contains(where: { $0 == " " || $0 == ";" }) {
            return "is no address: separate them by commas alone, such as 10.0.0.5:8080,10.0.0.6:8080"
        }
        return "is no address: write IP or IP:PORT, such as 10.0.0.5:8080; names are for sluice.dev/fallback-gateway"
    }

    /// Of connections, as far as the guard tells of their addresses, while the gateway is away.
    private static func whatBecomes(of status: GuardStatus) -> String {
        let waiting = status.addresses.count { $0.central.isEmpty }
        return switch waiting {
        case 0: "connections are relayed"
        case status.addresses.count: "connections wait: there is nobody to relay them to"
        default: "connections are relayed, but those to \(waiting) of \(status.addresses.count) addresses wait"
        }
    }

    /// How long a guard may take to answer, in milliseconds.
    private static let statusPatience: Int32 = 5_000

    private static func tellStatus(_ path: String) throws(UsageError) -> Int32 {
        let status: GuardStatus
        do throws(Errno) {
            let link = MessageLink<GuardReport, GuardOrder>(fd: try MessageSocket.connect(path: path))
            link.send(.status)
            var question = pollfd(fd: link.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&question, 1, statusPatience)
            guard case .message(.status(let answer)) = link.receive() else { throw Errno(ETIMEDOUT) }
            status = answer
        } catch {
            throw UsageError("--socket \(path): \(error); is a guard running there, of this user?")
        }
        let state =
            switch status.state {
            case .empty: "empty: no gateway has handed it sockets"
            case .standingBy: status.pid > 0 ? "standing by: gateway \(status.pid) serves" : "standing by"
            case .standingIn: "standing in: the gateway is gone, \(whatBecomes(of: status))"
            case .handingBack: "handing back: gateway \(status.pid) is starting, \(whatBecomes(of: status))"
            }
        Output.print(state)
        Output.print(
            "relays \(status.relays) now, \(status.relayed) altogether, \(status.failed) found no central gateway; "
                + "absences \(status.absences)")
        for address in status.addresses {
            let central = address.central.map(\.description).joined(separator: ", ")
            Output.print(
                "\(address.address): \(address.sockets) sockets, to \(central.isEmpty ? "nobody: connections wait" : central)"
            )
        }
        if status.held > UInt32(status.addresses.count) { Output.print("and others: \(status.held) altogether") }
        return status.state == .standingBy || status.state == .empty ? 0 : 1
    }
}
