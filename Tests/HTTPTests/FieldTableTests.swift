import Core
import HTTP
import Testing

@Suite struct FieldTableTests {
    private func line(_ index: Int, _ name: FieldName = .other) -> FieldLine {
        FieldLine(nameOffset: UInt32(index), nameLength: 1, valueOffset: UInt32(index + 2), valueLength: 1, name: name)
    }

    @Test func growsAndKeepsOrder() {
        var table = FieldTable()
        for i in 0..<500 { table.append(line(i)) }
        let offsets = (0..<table.count).map { Int(table[$0].nameOffset) }
        #expect(offsets == Array(0..<500))
        table.removeAll()
        let isEmpty = table.count == 0
        #expect(isEmpty)
    }

    @Test func findsByName() {
        let text = "a:1b:2A:3"
        var table = FieldTable()
        for i in [0, 3, 6] { table.append(line(i, i == 3 ? .via : .other)) }
        Array(text.utf8).withView { view in
            let via = table.first(.via)?.value(in: view).string
            #expect(via == "2")
            let host = table.first(.host)
            #expect(host.map(\.nameOffset) == nil)
            let found = [
                table.firstIndex(named: ByteView("A"), in: view),
                table.firstIndex(named: ByteView("a"), in: view, from: 1),
                table.firstIndex(named: ByteView("c"), in: view),
            ]
            #expect(found == [0, 2, nil])
        }
    }
}
