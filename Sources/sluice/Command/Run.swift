import Core
import Glibc
import IO
import Redis
import Supervisor
import Telemetry
import Upstream

extension Command {
    static let run = Command(
        name: "run", synopsis: "run [OPTION…] [PATH…]",
        summary:
            "Starts the gateway from the manifests in PATHs (files, or folders read recursively); default: routes.",
        options: """
              --workers N             processes that serve (default: the cores it may use)
              --admin ADDR            admin interface: IP:PORT, unix:PATH or off (default 127.0.0.1:15000)
              --pid-file FILE         write the gateway's process number there
              --log-level LEVEL       debug, info, warning or error (default info)
              --access-log FORMAT     text, json or off, with :PATH for a file
              --drain-timeout D       cut what is left so long after a drain began (default 30s)
              --drain-delay D         go on for so long before a drain closes the listeners (default 0)
              --user NAME             controller and workers run as this user
              --memory-limit SIZE     near it connections are shed, such as 512Mi (default: the cgroup's limit)
              --dns-server IP:PORT    ask this server for backends' names (default: those of resolv.conf)
              --rate-limit-redis ADDR count global rate limits in this Redis server, with other gateways:
                                      HOST:PORT or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
              --zone NAME             the zone that this gateway runs in (default: SLUICE_ZONE of the environment)
              --guard PATH            hand the listening sockets to the guard at this socket ('sluice help guard')
              --watch                 reload when the files change
              --upgrade-timeout D     taken, without effect in this version
              --state-dir DIR         keep rollouts and the key of sessions there, over a restart
            """
    ) { arguments throws(UsageError) in
        let options = try RunOptions(arguments: arguments)
        let log = Log(level: options.logLevel, speaker: "supervisor")
        var plan = FamilyPlan(
            options: options, liveStateSize: LiveState.size(workers: options.workers) + TicketKeyRing.size,
            statisticsSize: StatisticsRegion.size(workers: options.workers)
        ) { role, identity in RoleArguments.make(role, identity, arguments) }
        plan.workerEnded = { memory, index in
            guard let base = memory.baseAddress else { return }
            LiveState(base: base, workers: options.workers, worker: index).end()
        }
        return Supervisor.run(plan) { notice in
            log.write(
                notice.level, notice.text, notice.facts.lazy.map { (key: $0.key, value: LogValue.text($0.value)) })
        }
    }
}

extension RunOptions {
    /// Processes that serve; statistics have room for so many.
    static let workerLimit = 256

    private static let known = [
        "--workers", "--admin", "--pid-file", "--log-level", "--access-log", "--drain-timeout", "--drain-delay",
        "--upgrade-timeout", "--user", "--state-dir", "--dns-server", "--rate-limit-redis", "--zone", "--watch",
        "--memory-limit", "--guard",
    ]

    /// Reads the arguments of `sluice run`.
    init(arguments: [String]) throws(UsageError) {
        self.init()
        workers = min(RunOptions.usableCores, Self.workerLimit)
        zone = getenv("SLUICE_ZONE").map { String(cString: $0) } ?? ""
        var operands: [String] = []
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let path): operands.append(path)
            case .option("--workers"): workers = try reader.number("N", in: 1...Self.workerLimit)
            case .option("--admin"): admin = try AdminAddress(option: try reader.value("ADDR"))
            case .option("--pid-file"): pidFile = try reader.value("FILE")
            case .option("--log-level"):
                let text = try reader.value("LEVEL")
                guard let level = LogLevel(rawValue: text) else {
                    throw UsageError("--log-level '\(text)': write debug, info, warning or error")
                }
                logLevel = level
            case .option("--access-log"):
                let text = try reader.value("FORMAT")
                guard AccessLogOption(text) != nil else {
                    throw UsageError("--access-log '\(text)': write text, json, text:PATH, json:PATH or off")
                }
                accessLog = text
            case .option("--drain-timeout"): drainTimeout = try reader.duration()
            case .option("--drain-delay"): drainDelay = try reader.duration()
            case .option("--upgrade-timeout"): upgradeTimeout = try reader.duration()
            case .option("--user"): user = try reader.value("NAME")
            case .option("--state-dir"): stateDirectory = try reader.value("DIR")
            case .option("--dns-server"): dnsServers = try reader.value("IP:PORT")
            case .option("--rate-limit-redis"):
                let text = try reader.value("ADDR")
                do throws(RedisAddress.Problem) {
                    rateLimitService = try RedisAddress(text).description
                } catch {
                    throw UsageError("--rate-limit-redis '\(text)': \(error.text)")
                }
                rateLimitRedis = text
            case .option("--zone"): zone = try reader.value("NAME")
            case .option("--guard"): guardPath = try reader.value("PATH")
            case .option("--watch"): watch = true
            case .option("--memory-limit"):
                let text = try reader.value("SIZE")
                guard let octets = RunOptions.octets(text) else {
                    throw UsageError("--memory-limit '\(text)': write a size such as 512Mi or 2Gi")
                }
                memoryLimit = octets
            case .option(let other): throw reader.unknown(other, among: Self.known)
            }
        }
        if !operands.isEmpty { paths = operands }
    }
}

extension RunOptions {
    /// A size of at least a mebioctet: digits, and `Ki`, `Mi` or `Gi`.
    static func octets(_ text: String) -> UInt64? {
        let units: [(name: String, octets: UInt64)] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("", 1)]
        for unit in units where text.hasSuffix(unit.name) {
            guard let number = UInt64(text.dropLast(unit.name.count)) else { continue }
            let (octets, past) = number.multipliedReportingOverflow(by: unit.octets)
            return past || octets < 1 << 20 ? nil : octets
        }
        return nil
    }
}

extension AdminAddress {
    /// Reads the value of `--admin`.
    init(option text: String) throws(UsageError) {
        if text == "off" {
            self = .off
        } else if text.hasPrefix("unix:"), text.utf8.count > 5 {
            self = .unix(path: String(text.dropFirst(5)))
        } else if let address = SocketAddress(text), address.port > 0 {
            self = .tcp(address)
        } else {
            throw UsageError("--admin '\(text)': write IP:PORT such as 127.0.0.1:15000, unix:PATH, or off")
        }
    }
}
