import Support
import Testing

/// `sluice intercept`: what is printed, and what is refused.
@Suite struct InterceptCommandTests {
    private func run(_ arguments: [String]) throws -> (code: UInt8?, output: String) {
        let folder = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["intercept"] + arguments, output: folder.path + "/output")
        guard case .exited(let code) = try program.waitForEnd() else { return (nil, program.output) }
        return (code, program.output)
    }

    @Test(
        arguments: [
            ([], "write --mode redirect or --mode tproxy"),
            (["--mode", "nat"], "--mode 'nat': write redirect or tproxy"),
            (["--mode", "redirect"], "write --port N"),
            (["--mode", "redirect", "--port", "0"], "from 1 to 65535"),
            (["--mode", "redirect", "--port", "15001"], "--user, --group or --cgroup"),
            (["--mode", "redirect", "--port", "1", "--user", "nobody at all"], "there is no such user"),
            (["--mode", "redirect", "--port", "1", "--cgroup", "a\"b"], "write a path below the root"),
            (["--mode", "tproxy", "--port", "1", "--exclude", "10.0.0.0/40"], "write a range"),
            (["--mode", "tproxy", "--port", "1", "--ports", "80,90-70"], "write ports and ranges"),
            (["--mode", "tproxy", "--port", "1", "--user", "0"], "are for --mode redirect"),
            (["--mode", "tproxy", "--port", "1", "--routes", "--cgroup", "a"], "are for --mode redirect"),
            (["--mode", "redirect", "--routes", "--undo"], "--mode redirect needs none"),
            (["--mode", "tproxy", "--port", "1", "--protocol"], "there is no option --protocol"),
            (["here"], "takes no 'here'"),
        ] as [([String], String)])
    func wrongUsage(_ arguments: [String], _ part: String) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == 2)
        #expect(outcome.output.contains(part), "\(outcome.output)")
    }

    @Test(
        arguments: [
            (
                [
                    "--mode", "redirect", "--port", "15001", "--user", "1337", "--group", "12", "--cgroup",
                    "/a.slice/b/",
                ],
                [
                    "meta skuid 1337 return", "meta skgid 12 return", "socket cgroupv2 level 2 \"a.slice/b\" return",
                    "type nat hook output", "meta l4proto tcp redirect to :15001", "127.0.0.0/8", "::1/128",
                ]
            ),
            (
                [
                    "--mode", "redirect", "--port", "7", "--user", "0", "--destination", "10.96.0.0/12",
                    "--destination",
                    "fd00:96::/64", "--exclude", "10.96.0.10", "--ports", "80,8000-8999",
                ],
                [
                    "ip daddr 10.96.0.0/12 tcp dport { 80, 8000-8999 } redirect to :7",
                    "ip6 daddr fd00:96::/64 tcp dport { 80, 8000-8999 } redirect to :7", "10.96.0.10/32",
                ]
            ),
            (
                ["--mode", "tproxy", "--port", "15001", "--mark", "255"],
                [
                    "type filter hook prerouting", "meta mark set 0xff tproxy ip to :15001 accept",
                    "#   ip -6 rule add priority 21324 fwmark 0xff lookup 21324",
                ]
            ),
            (["--mode", "tproxy", "--undo"], ["delete table inet sluice"]),
            (["--mode", "tproxy", "--routes", "--undo"], ["ip -4 rule del priority 21324 fwmark 0x534c lookup 21324"]),
        ] as [([String], [String])])
    func whatIsPrinted(_ arguments: [String], _ parts: [String]) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == 0)
        for part in parts { #expect(outcome.output.contains(part), "\(part)\n\(outcome.output)") }
    }
}
