import Core

/// What authorization policies had to say of a call, for the access log. Empty where nobody has anything to say.
struct PolicyWords: ~Copyable {
    /// Why it is refused, or would be in earnest; else who audits it, and by which line.
    var detail = ByteBuffer()
    /// `namespace/name` of the AUDIT policies, with commas between.
    var audits = ByteBuffer()
}

/// The same, for as long as a connection is relayed.
struct RelayWords {
    private(set) var detail: [UInt8] = []
    private(set) var audits: [UInt8] = []

    init() {}

    init(_ words: borrowing PolicyWords) {
        if !words.detail.isEmpty { detail = words.detail.view.array }
        if !words.audits.isEmpty { audits = words.audits.view.array }
    }
}
