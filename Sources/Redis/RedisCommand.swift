import Core

/// Writes commands: arrays of words, each with its length (RESP, the protocol of Redis).
public enum RedisCommand {
    /// Begins a command of so many words, which are to follow.
    public static func begin(words: Int, to out: inout ByteBuffer) {
        out.append(byte: UInt8(ascii: "*"))
        out.append(decimal: UInt64(words))
        out.append("\r\n")
    }

    public static func word(_ word: ByteView, to out: inout ByteBuffer) {
        out.append(byte: UInt8(ascii: "$"))
        out.append(decimal: UInt64(word.count))
        out.append("\r\n")
        out.append(word)
        out.append("\r\n")
    }

    public static func word(_ word: StaticString, to out: inout ByteBuffer) { self.word(ByteView(word), to: &out) }

    public static func word(_ number: UInt64, to out: inout ByteBuffer) {
        var digits = 1
        var left = number / 10
        while left > 0 {
            digits += 1
            left /= 10
        }
        out.append(byte: UInt8(ascii: "$"))
        out.append(decimal: UInt64(digits))
        out.append("\r\n")
        out.append(decimal: number)
        out.append("\r\n")
    }

    /// Adds to a counter that is forgotten some seconds from now: two commands, so two replies.
    public static func count(_ amount: UInt64, under key: ByteView, seconds: UInt64, to out: inout ByteBuffer) {
        begin(words: 3, to: &out)
        word("INCRBY", to: &out)
        word(key, to: &out)
        word(amount, to: &out)
        begin(words: 3, to: &out)
        word("EXPIRE", to: &out)
        word(key, to: &out)
        word(seconds, to: &out)
    }

    /// What a connection begins with.
    /// - Returns: the replies to it.
    public static func greet(_ address: RedisAddress, to out: inout ByteBuffer) -> Int {
        var replies = 0
        if !address.password.isEmpty {
            begin(words: address.user.isEmpty ? 2 : 3, to: &out)
            word("AUTH", to: &out)
            if !address.user.isEmpty { address.user.withView { word($0, to: &out) } }
            address.password.withView { word($0, to: &out) }
            replies += 1
        }
        // Without a password too, something must be answered before requests wait for it.
        begin(words: 2, to: &out)
        word("SELECT", to: &out)
        word(UInt64(address.database), to: &out)
        return replies + 1
    }
}
