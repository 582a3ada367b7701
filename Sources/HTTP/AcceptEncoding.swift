import Core

/// Which codings a client takes, and how gladly (Accept-Encoding: RFC 9110, section 12.5.3).
///
/// Weights are thousandths: the three digits that RFC 9110, section 12.4.2 allows. An element whose weight is no weight is
/// passed over. Of a coding that is named twice the first weight counts.
public struct AcceptEncoding: BitwiseCopyable, Sendable {
    public static let wholeWeight: UInt16 = 1000

    /// By ``ContentCoding/rawValue``; nil: not named.
    private var gzip: UInt16?
    private var brotli: UInt16?
    private var zstd: UInt16?
    private var identity: UInt16?
    private var others: UInt16?

    /// Nothing was said: no coding is wanted.
    public init() {}

    /// Takes the value of one field line; several lines are one list.
    public mutating func read(_ value: ByteView) {
        var elements = ListElements(value)
        while let element = elements.next() {
            guard !element.isEmpty, let (coding, weight) = Self.parse(element) else { continue }
            if coding.equalsIgnoringCase("gzip") || coding.equalsIgnoringCase("x-gzip") {
                gzip = gzip ?? weight
            } else if coding.equalsIgnoringCase("br") {
                brotli = brotli ?? weight
            } else if coding.equalsIgnoringCase("zstd") {
                zstd = zstd ?? weight
            } else if coding.equalsIgnoringCase("identity") {
                identity = identity ?? weight
            } else if coding.equals("*") {
                others = others ?? weight
            }
        }
    }

    /// 0: not taken.
    public func weight(of coding: ContentCoding) -> UInt16 {
        let named =
            switch coding {
            case .gzip: gzip
            case .brotli: brotli
            case .zstd: zstd
            }
        return named ?? others ?? 0
    }

    /// Whether the content may go out in a coding of this weight rather than as it is: a client that names `identity` with a
    /// greater weight wants it as it is.
    public func prefers(_ weight: UInt16) -> Bool { weight > 0 && weight >= identity ?? 0 }

    private static func parse(_ element: ByteView) -> (coding: ByteView, weight: UInt16)? {
        guard let semicolon = element.firstIndex(of: ASCII.semicolon) else { return (element, wholeWeight) }
        let coding = element.upTo(semicolon).trimmed
        let parameter = element.from(semicolon + 1).trimmed
        guard parameter.count >= 3, ASCII.lower(parameter[0]) == UInt8(ascii: "q"), parameter[1] == ASCII.equals,
            let weight = weight(parameter.from(2))
        else { return nil }
        return (coding, weight)
    }

    /// `0` or `1`, and up to three digits behind a dot; not more than one.
    private static func weight(_ text: ByteView) -> UInt16? {
        guard text.count <= 5, text[0] == UInt8(ascii: "0") || text[0] == UInt8(ascii: "1") else { return nil }
        var weight = UInt16(text[0] - UInt8(ascii: "0")) * wholeWeight
        guard text.count > 1 else { return weight }
        guard text[1] == UInt8(ascii: ".") else { return nil }
        var place: UInt16 = 100
        for index in 2..<text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            weight += UInt16(digit) * place
            place /= 10
        }
        return weight <= wholeWeight ? weight : nil
    }
}
