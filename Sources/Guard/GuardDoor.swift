import Glibc
import IO

/// The socket at which families and questions arrive.
final class GuardDoor: EventSource {
    private let listener: CInt
    private let admit: (consuming OwnedFD) -> Void
    /// Given up for a moment when there is no other descriptor left, so that whoever waits is turned away and not told of
    /// for ever.
    private var reserve: OwnedFD?

    init(_ listener: CInt, _ admit: @escaping (consuming OwnedFD) -> Void) {
        self.listener = listener
        self.admit = admit
        super.init()
        takeReserve()
    }

    private func takeReserve() {
        let raw = dup(listener)
        reserve = raw >= 0 ? OwnedFD(adopting: raw) : nil
    }

    override func ready(_ events: ReadyEvents) {
        do throws(Errno) {
            while let (fd, _) = try Socket.accept(listener) { admit(OwnedFD(adopting: fd)) }
        } catch {
            reserve = nil
            if let (fd, _) = try? Socket.accept(listener) { _ = OwnedFD(adopting: fd) }
            takeReserve()
        }
    }
}
