import Core

/// The kernel's rules that bring connections to a group's gateway that were meant for others, as text for nft(8) and ip(8).
///
/// One table of our own, so that taking it away takes everything away. Of the kinds:
/// - `redirect`: what programs of this machine dial is rewritten to the gateway's port (chain `output`), and so is what
///   comes through this machine from others (chain `prerouting`).
/// - `tproxy`: what comes through this machine is given to the gateway's socket as it is (chain `prerouting`); a mark and
///   a routing table of its own bring it there.
struct InterceptionRules {
    enum Mode: String { case redirect, tproxy }

    /// Whose connections are the gateway's own, and must not come back to it.
    enum Own: Equatable {
        case user(UInt32)
        case group(UInt32)
        /// A path below the root of cgroup v2.
        case controlGroup(String)
    }

    /// Never meant for anybody elsewhere: this machine, its links, groups.
    static let neverElsewhere = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8"]
    static let table = "inet sluice"

    var mode: Mode
    /// The intercepting listener's.
    var port: UInt16
    var own: [Own] = []
    /// Nothing else is brought here; empty: everything is.
    var destinations: [AddressRange] = []
    var excluded: [AddressRange] = []
    /// Likewise, of the ports that are dialled.
    var ports: [ClosedRange<UInt16>] = []
    var mark: UInt32 = 0x534C
    var routingTable: UInt32 = 0x534C

    // MARK: what nft reads

    var nftables: String {
        var lines = ["# sluice intercept: connections to others come to port \(port) (\(mode.rawValue))."]
        lines += ["table \(Self.table)", "delete table \(Self.table)", "table \(Self.table) {"]
        switch mode {
        case .redirect:
            lines += chain(
                "output", "type nat hook output priority -100; policy accept;", own.map { "\(match($0)) return" },
                ["redirect to :\(port)"])
            lines += [""]
            lines += chain(
                "prerouting", "type nat hook prerouting priority -100; policy accept;", localTargets,
                ["redirect to :\(port)"])
        case .tproxy:
            lines += chain(
                "prerouting", "type filter hook prerouting priority -150; policy accept;",
                // Packets of connections that have been taken already.
                [
                    "meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set \(markText) accept"
                ] + localTargets,
                [
                    "meta nfproto ipv4 meta mark set \(markText) tproxy ip to :\(port) accept",
                    "meta nfproto ipv6 meta mark set \(markText) tproxy ip6 to :\(port) accept",
                ])
        }
        lines += ["}"]
        if mode == .tproxy {
            lines += ["", "# Beside the rules, once (sluice intercept … --routes prints them alone):"]
            lines += routes.map { "#   \($0)" }
        }
        return lines.joined(separator: "\n")
    }

    /// Takes away what ``nftables`` brought; does no harm where nothing is.
    static let nftablesUndone = "table \(table)\ndelete table \(table)"

    private var markText: String { "0x" + String(mark, radix: 16) }

    /// What is sent to this machine itself is not on its way to others.
    private var localTargets: [String] { ["fib daddr type local return"] }

    private func chain(_ name: String, _ hook: String, _ passes: [String], _ verdicts: [String]) -> [String] {
        var lines = ["\tchain \(name) {", "\t\t\(hook)"]
        lines += (passes + exclusions).map { "\t\t\($0)" }
        lines += selections.flatMap { selection in verdicts.map { "\t\t\(selection)\($0)" } }
        return lines + ["\t}"]
    }

    private func match(_ own: Own) -> String {
        switch own {
        case .user(let id): return "meta skuid \(id)"
        case .group(let id): return "meta skgid \(id)"
        case .controlGroup(let path):
            let level = path.split(separator: "/").count
            return "socket cgroupv2 level \(level) \"\(path)\""
        }
    }

    private var exclusions: [String] {
        let never = Self.neverElsewhere.compactMap { AddressRange($0) }
        return ["meta l4proto != tcp return"] + families(never + excluded).map { "\($0) return" }
    }

    /// What is brought here, one condition a line, with a space at its end.
    private var selections: [String] {
        let ports = self.ports.isEmpty ? "" : "tcp dport \(set(self.ports.map(text))) "
        if destinations.isEmpty { return [ports.isEmpty ? "meta l4proto tcp " : ports] }
        return families(destinations).map { "\($0) \(ports.isEmpty ? "meta l4proto tcp " : ports)" }
    }

    private func text(_ range: ClosedRange<UInt16>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }

    private func families(_ ranges: [AddressRange]) -> [String] {
        let v4 = ranges.filter(\.isV4)
        let v6 = ranges.filter { !$0.isV4 }
        return (v4.isEmpty ? [] : ["ip daddr \(set(v4.map(\.text)))"])
            + (v6.isEmpty ? [] : ["ip6 daddr \(set(v6.map(\.text)))"])
    }

    private func set(_ elements: [String]) -> String {
        elements.count == 1 ? elements[0] : "{ \(elements.joined(separator: ", ")) }"
    }

    // MARK: what ip reads

    /// Of the routing rule, before those of the system's own tables (32766). One that is written stands once, however
    /// often it is added; without it the kernel would number each anew.
    private static let priority = 21324

    /// Marked packets are delivered here, whomever they are for; of `tproxy` alone.
    var routes: [String] {
        guard mode == .tproxy else { return [] }
        return ["ip -4", "ip -6"].flatMap { family in
            [
                "\(family) rule add priority \(Self.priority) fwmark \(markText) lookup \(routingTable)",
                "\(family) route replace local default dev lo table \(routingTable)",
            ]
        }
    }

    var routesUndone: [String] {
        guard mode == .tproxy else { return [] }
        return ["ip -4", "ip -6"].flatMap { family in
            [
                "\(family) route del local default dev lo table \(routingTable)",
                "\(family) rule del priority \(Self.priority) fwmark \(markText) lookup \(routingTable)",
            ]
        }
    }
}

extension AddressRange {
    fileprivate var isV4: Bool { base.isV4 && prefixLength >= 96 }

    /// As nft(8) and ip(8) read it.
    fileprivate var text: String { "\(base)/\(isV4 ? prefixLength - 96 : prefixLength)" }
}
