import Config
import Connection
import Core
import IO
import Telemetry

/// Tells of calls to hosts that are not to be reached: a counter for each host and caller, and a line in the log now and
/// then. Owned by the worker.
///
/// Limits: ``StatisticsLayout/denials`` pairs of host and caller are counted apart, the rest together; ``linesPerSecond``.
final class EgressDenials {
    /// Between two lines about one host and caller.
    static let quiet = TimeAmount.seconds(60)
    /// Lines about all of them together.
    static let linesPerSecond = 10

    private let worker: Worker
    private var second: Int64 = 0
    private var lines = 0

    init(worker: Worker) { self.worker = worker }

    /// Counts one, and logs it unless that was done just now.
    /// - Parameter host: a name, or an address with brackets or without.
    func note(_ host: ByteView, port: UInt16, _ origin: ConnectionOrigin) {
        let isBracketed = host.count > 2 && host[0] == UInt8(ascii: "[")
        let host = isBracketed ? host[1..<(host.count - 1)] : host
        var caller = ByteBuffer()
        if let known = origin.caller, !known.namespace.isEmpty {
            known.namespace.withView { caller.append($0) }
            caller.append(byte: ASCII.slash)
            known.name.withView { caller.append($0) }
        } else {
            nameWorkload(origin.peer.ip, to: &caller)
        }
        worker.statistics.increment(.egressDenied)
        let isNews = worker.statistics.denied(
            host: host, caller: caller.view, now: worker.loop.wallNow, quiet: Self.quiet)
        guard isNews, mayLog() else { return }
        worker.log.warning(
            "a call to a host outside was denied",
            ["host": .init(host), "port": .init(port), "caller": .init(caller.view), "peer": .init(origin.peer.ip)])
    }

    /// Who is at the address, where the files tell; else the address.
    private func nameWorkload(_ address: IPAddress, to caller: inout ByteBuffer) {
        guard let configuration = worker.configuration, let workload = configuration.routes.workload(at: address) else {
            return address.write(to: &caller)
        }
        caller.append(configuration.snapshot.text(workload.pointee.namespace))
        caller.append(byte: ASCII.slash)
        caller.append(configuration.snapshot.text(workload.pointee.name))
    }

    /// As above, of a connection that says itself where it goes.
    func note(_ destination: CallDestination, _ origin: ConnectionOrigin) {
        switch destination {
        case .address(let address):
            var host = ByteBuffer()
            address.ip.write(to: &host)
            note(host.view, port: address.port, origin)
        case .authority(let host, let port): host.withView { note($0, port: port, origin) }
        }
    }

    private func mayLog() -> Bool {
        let now = worker.loop.wallNow / 1_000_000_000
        if now != second {
            second = now
            lines = 0
        }
        lines += 1
        return lines <= Self.linesPerSecond
    }
}
