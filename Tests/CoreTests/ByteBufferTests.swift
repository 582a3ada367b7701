import Core
import Testing

@Suite struct ByteBufferTests {
    /// Numbers around each change of width, and around what one word of eight digits holds.
    @Test func decimalsAreAsSwiftWritesThem() {
        var values: [UInt64] = [0, 7, 42, 123_456_789_012, .max, .max - 1]
        var power: UInt64 = 1
        for _ in 0..<19 {
            power *= 10
            values += [power - 1, power, power + 1]
        }
        for value in values {
            var buffer = ByteBuffer()
            buffer.append("x")
            buffer.append(decimal: value)
            buffer.append("y")
            let written = buffer.view.string
            #expect(written == "x\(value)y")
        }
    }

    @Test(arguments: [
        (0 as UInt64, 3, "000"), (7, 1, "7"), (42, 2, "42"), (42, 4, "0042"), (1999, 3, "999"),
        (12_345_678, 8, "12345678"), (9, 8, "00000009"), (123_456_789, 8, "23456789"),
    ])
    func paddedNumbersAreAsWideAsAsked(value: UInt64, digits: Int, text: String) {
        var buffer = ByteBuffer()
        buffer.append(padded: value, digits: digits)
        let written = buffer.view.string
        #expect(written == text)
    }

    @Test func aPoolKeepsAsManyBlocksAsItMay() {
        var pool = BufferPool(blockSize: 64, limit: 2)
        var first = ByteBuffer()
        var second = ByteBuffer()
        var third = ByteBuffer()
        pool.supply(&first)
        pool.supply(&second)
        pool.supply(&third)
        let blocks = [first.writePointer, second.writePointer]
        pool.reclaim(&first)
        pool.reclaim(&second)
        // There is no place for the third one.
        pool.reclaim(&third)
        let haveMemory = [first.hasMemory, second.hasMemory, third.hasMemory]
        #expect(haveMemory == [false, false, false])
        pool.supply(&first)
        pool.supply(&second)
        // The last one that came back goes first.
        let lent = [second.writePointer, first.writePointer]
        #expect(lent == blocks)
    }
}
