import Core

/// What is wrong with a received message. The supervisor ends whoever sent it; nothing traps.
public enum MalformedFrame: Error, Equatable, Sendable {
    case truncated
    case trailingOctets(Int)
    case unknownKind(UInt16)
    case illegalValue
    case missingDescriptor
    case surplusDescriptors(Int)
}

/// The first octets of every message. All numbers are in the machine's own order: both ends run the same binary.
struct FrameHeader: BitwiseCopyable {
    static let magic: UInt32 = 0x534C_464D
    var magic = FrameHeader.magic
    var kind: UInt16
    /// Reserved, zero.
    var flags: UInt16 = 0
    /// Octets after the header.
    var length: UInt32
}

/// One message between two processes of the family: a kind, a payload, and descriptors that travel with it.
public struct Frame {
    /// Octets of a payload. A SOCK_SEQPACKET message is whole or not at all, so it must fit the socket's buffer.
    public static let payloadLimit = 64 * 1024
    /// Descriptors with one message; the kernel would take 253 (unix(7), SCM_RIGHTS).
    public static let descriptorLimit = 8

    var kind: UInt16
    var payload: [UInt8]
    var descriptors: [SharedFD]

    init(kind: UInt16, payload: [UInt8] = [], descriptors: [SharedFD] = []) {
        self.kind = kind
        self.payload = payload
        self.descriptors = descriptors
    }

    /// Header and payload as they are sent.
    var octets: [UInt8] {
        precondition(payload.count <= Self.payloadLimit, "a family message is larger than its limit")
        precondition(descriptors.count <= Self.descriptorLimit, "a family message carries too many descriptors")
        let header = FrameHeader(kind: kind, length: UInt32(payload.count))
        return withUnsafeBytes(of: header) { Array($0) } + payload
    }

    /// Reads what was received, descriptors apart.
    init(octets: UnsafeRawBufferPointer, descriptors: [SharedFD]) throws(MalformedFrame) {
        let size = MemoryLayout<FrameHeader>.size
        guard octets.count >= size else { throw .truncated }
        let header = octets.loadUnaligned(as: FrameHeader.self)
        guard header.magic == FrameHeader.magic, header.flags == 0 else { throw .illegalValue }
        guard octets.count - size >= Int(header.length) else { throw .truncated }
        guard octets.count - size == Int(header.length) else {
            throw .trailingOctets(octets.count - size - Int(header.length))
        }
        kind = header.kind
        payload = Array(octets[size...])
        self.descriptors = descriptors
    }
}

/// A message that can be written into a frame and read back.
public protocol FamilyMessage {
    /// For one's own messages: they are within the limits by construction.
    var frame: Frame { get }
    /// For what came from another process.
    init(_ frame: Frame) throws(MalformedFrame)
}

/// Writes a payload, field after field.
struct FrameWriter {
    private(set) var payload: [UInt8] = []

    mutating func add<Number: FixedWidthInteger>(_ value: Number) {
        withUnsafeBytes(of: value) { payload.append(contentsOf: $0) }
    }

    mutating func add(_ address: SocketAddress) {
        add(address.ip.high)
        add(address.ip.low)
        add(address.port)
    }

    /// Beside the transport.
    static let transparentBit: UInt8 = 0x80

    mutating func add(_ place: ListeningAddress) {
        add(place.transport.rawValue | (place.isTransparent ? Self.transparentBit : 0))
        add(place.address)
    }

    /// A count, then each element.
    mutating func add<Element>(_ list: [Element], _ each: (inout FrameWriter, Element) -> Void) {
        add(UInt32(list.count))
        for element in list { each(&self, element) }
    }
}

/// Reads a payload, field after field; whatever is not there is an error, never a trap.
struct FrameReader {
    private let payload: [UInt8]
    private var at = 0
    private var descriptors: ArraySlice<SharedFD>

    init(_ frame: Frame) {
        payload = frame.payload
        descriptors = frame.descriptors[...]
    }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self
    ) throws(MalformedFrame) -> Number {
        let size = MemoryLayout<Number>.size
        guard payload.count - at >= size else { throw .truncated }
        let value = payload.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: Number.self) }
        at += size
        return value
    }

    mutating func address() throws(MalformedFrame) -> SocketAddress {
        let high = try number(UInt64.self)
        let low = try number(UInt64.self)
        return SocketAddress(ip: IPAddress(high: high, low: low), port: try number())
    }

    mutating func listeningAddress() throws(MalformedFrame) -> ListeningAddress {
        let first = try number(UInt8.self)
        guard let transport = SocketTransport(rawValue: first & ~FrameWriter.transparentBit) else {
            throw .illegalValue
        }
        return ListeningAddress(
            transport, try address(), isTransparent: first & FrameWriter.transparentBit != 0)
    }

    mutating func amount() throws(MalformedFrame) -> TimeAmount {
        let nanoseconds = try number(Int64.self)
        guard nanoseconds >= 0 else { throw .illegalValue }
        return TimeAmount(nanoseconds: nanoseconds)
    }

    mutating func list<Element>(
        _ each: (inout FrameReader) throws(MalformedFrame) -> Element
    ) throws(MalformedFrame) -> [Element] {
        let count = try number(UInt32.self)
        // Every element is at least one octet: a wild count cannot make us reserve memory.
        guard Int(count) <= payload.count - at else { throw .truncated }
        var result: [Element] = []
        result.reserveCapacity(Int(count))
        for _ in 0..<count { result.append(try each(&self)) }
        return result
    }

    mutating func descriptor() throws(MalformedFrame) -> SharedFD {
        guard let first = descriptors.popFirst() else { throw .missingDescriptor }
        return first
    }

    /// To be called last: a message has nothing after its fields.
    func end() throws(MalformedFrame) {
        guard at == payload.count else { throw .trailingOctets(payload.count - at) }
        guard descriptors.isEmpty else { throw .surplusDescriptors(descriptors.count) }
    }
}
