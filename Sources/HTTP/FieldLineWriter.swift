import Core
import Glibc

extension ByteBuffer {
    /// Appends `name: value` with its CRLF: one check for room, for the lines that come by the dozen.
    @inline(__always) mutating func appendLine(_ name: ByteView, _ value: ByteView) {
        let count = name.count + value.count + 4
        makeRoom(count)
        var at = writePointer
        if let octets = name.base { memcpy(at, octets, name.count) }
        at += name.count
        at[0] = ASCII.colon
        at[1] = ASCII.space
        at += 2
        if let octets = value.base { memcpy(at, octets, value.count) }
        at += value.count
        at[0] = ASCII.cr
        at[1] = ASCII.lf
        didWrite(count)
    }
}
