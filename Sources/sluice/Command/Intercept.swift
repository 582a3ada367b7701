import Core
import Glibc
import IO

extension Command {
    static let intercept = Command(
        name: "intercept", synopsis: "intercept --mode redirect|tproxy --port N [OPTION…]",
        summary: "Prints the kernel's rules that bring connections to a group's gateway that were meant for others.",
        options: """
              --mode MODE             redirect: of programs on this machine, and of those that it forwards for;
                                      tproxy: of those that it forwards for, addresses as they were
              --port N                of the listener with sluice.dev/transparent
              --user NAME|UID         connections of this user stay as they are: the gateway's own; may be repeated
              --group NAME|GID        likewise, of this group
              --cgroup PATH           likewise, of this cgroup (v2), such as system.slice/sluice.service
              --destination CIDR      bring nothing else here; may be repeated (default: everything)
              --exclude CIDR          leave these destinations as they are; may be repeated
              --ports LIST            bring only these ports here, such as 80,443,8000-8999 (default: all)
              --mark N                of packets, with tproxy (default 21324)
              --table N               the routing table, with tproxy (default 21324)
              --routes                print the lines for a shell that tproxy needs beside the rules, and no rules
              --undo                  print what takes it all back

            Use: sluice intercept --mode redirect --port 15001 --user sluice | nft -f -
            and: sluice intercept --mode tproxy --port 15001 --routes | sh
            """
    ) { arguments throws(UsageError) in
        let wish = try InterceptionWish(arguments)
        let rules = wish.rules
        switch (wish.printsRoutes, wish.undoes) {
        case (false, false): Output.print(rules.nftables)
        case (false, true): Output.print(InterceptionRules.nftablesUndone)
        case (true, false): Output.print(rules.routes.joined(separator: "\n"))
        case (true, true): Output.print(rules.routesUndone.joined(separator: "\n"))
        }
        return 0
    }
}

/// What was typed after `sluice intercept`.
private struct InterceptionWish {
    var rules: InterceptionRules
    var printsRoutes = false
    var undoes = false

    private static let known = [
        "--mode", "--port", "--user", "--group", "--cgroup", "--destination", "--exclude", "--ports", "--mark",
        "--table", "--routes", "--undo",
    ]

    init(_ arguments: [String]) throws(UsageError) {
        var mode: InterceptionRules.Mode?
        var port: UInt16?
        rules = InterceptionRules(mode: .redirect, port: 1)
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let word): throw UsageError("takes no '\(word)'; only options")
            case .option("--mode"):
                let text = try reader.value("redirect|tproxy")
                guard let found = InterceptionRules.Mode(rawValue: text) else {
                    throw UsageError("--mode '\(text)': write redirect or tproxy")
                }
                mode = found
            case .option("--port"): port = UInt16(try reader.number("N", in: 1...65535))
            case .option("--user"): rules.own.append(.user(try Self.user(try reader.value("NAME|UID"))))
            case .option("--group"): rules.own.append(.group(try Self.group(try reader.value("NAME|GID"))))
            case .option("--cgroup"): rules.own.append(.controlGroup(try Self.path(try reader.value("PATH"))))
            case .option("--destination"):
                rules.destinations.append(try Self.range(try reader.value("CIDR"), "--destination"))
            case .option("--exclude"): rules.excluded.append(try Self.range(try reader.value("CIDR"), "--exclude"))
            case .option("--ports"): rules.ports = try Self.ports(try reader.value("LIST"))
            case .option("--mark"): rules.mark = UInt32(try reader.number("N", in: 1...0x7FFF_FFFF))
            case .option("--table"): rules.routingTable = UInt32(try reader.number("N", in: 1...0x7FFF_FFFF))
            case .option("--routes"): printsRoutes = true
            case .option("--undo"): undoes = true
            case .option(let other): throw reader.unknown(other, among: Self.known)
            }
        }
        guard let mode else { throw UsageError("how? write --mode redirect or --mode tproxy") }
        rules.mode = mode
        if printsRoutes, mode == .redirect { throw UsageError("--routes: --mode redirect needs none") }
        if undoes { return }
        guard let port else { throw UsageError("to which listener? write --port N") }
        rules.port = port
        if mode == .tproxy, !rules.own.isEmpty {
            throw UsageError(
                "--user, --group and --cgroup are for --mode redirect: with tproxy this machine's own connections stay as they are"
            )
        }
        if mode == .redirect, rules.own.isEmpty {
            throw UsageError(
                "the gateway's own connections would come back to it: say whose they are with --user, --group or --cgroup"
            )
        }
    }

    private static func user(_ text: String) throws(UsageError) -> UInt32 {
        if let number = number(text) { return number }
        guard let entry = getpwnam(text) else { throw UsageError("--user '\(text)': there is no such user") }
        return entry.pointee.pw_uid
    }

    private static func group(_ text: String) throws(UsageError) -> UInt32 {
        if let number = number(text) { return number }
        guard let entry = getgrnam(text) else { throw UsageError("--group '\(text)': there is no such group") }
        return entry.pointee.gr_gid
    }

    private static func number(_ text: String) -> UInt32? {
        text.withView({ $0.decimal }).flatMap { UInt32(exactly: $0) }
    }

    /// A path that nft can read between quotes.
    private static func path(_ text: String) throws(UsageError) -> String {
        var path = Substring(text)
        while path.first == "/" { path.removeFirst() }
        while path.last == "/" { path.removeLast() }
        let isPlain = path.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x5C && $0 < 0x7F }
        guard !path.isEmpty, isPlain else {
            throw UsageError("--cgroup '\(text)': write a path below the root, such as system.slice/sluice.service")
        }
        return String(path)
    }

    private static func range(_ text: String, _ option: StaticString) throws(UsageError) -> AddressRange {
        guard let range = AddressRange(text) else {
            throw UsageError("\(option) '\(text)': write a range such as 10.96.0.0/12 or fd00::/8")
        }
        return range
    }

    private static func ports(_ text: String) throws(UsageError) -> [ClosedRange<UInt16>] {
        var ports: [ClosedRange<UInt16>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first > 0, first <= last else {
                throw UsageError("--ports '\(text)': write ports and ranges such as 80,443,8000-8999")
            }
            ports.append(first...last)
        }
        return ports
    }
}
