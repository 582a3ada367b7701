import Core

extension ByteView {
    /// The text as a message shows it: whole when it is short, else its beginning.
    var excerpt: String {
        let limit = 80
        guard count > limit else { return string }
        var end = limit
        // Not within a character.
        while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
        return upTo(end).string + "…"
    }
}
