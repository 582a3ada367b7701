import CLinux
import Core
import Glibc

/// Signals as events of the loop (signalfd(2)). They are blocked for the process, and for what it spawns.
public final class SignalSource: EventSource {
    private let fd: OwnedFD
    private let arrived: (CInt) -> Void

    /// - Parameter arrived: told each signal's number; several of one kind may have become one.
    public init(_ signals: [CInt], _ arrived: @escaping (CInt) -> Void) throws(Errno) {
        let raw = clinux_signalfd(signals, CInt(signals.count))
        guard raw >= 0 else { throw Errno(-raw) }
        fd = OwnedFD(adopting: raw)
        self.arrived = arrived
    }

    public func register(in loop: EventLoop) { loop.addReader(fd.raw, self) }

    public override func ready(_ events: ReadyEvents) {
        while true {
            let signal = clinux_read_signal(fd.raw)
            if signal == -EINTR { continue }
            guard signal > 0 else { return }
            arrived(signal)
        }
    }
}
