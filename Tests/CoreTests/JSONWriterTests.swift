import Testing

@testable import Core

@Suite struct JSONWriting {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        body(&json)
        return json.finish().view.string
    }

    @Test func structure() {
        let text = written { json in
            json.beginObject()
            json.field("a", 1)
            json.key("b")
            json.beginArray()
            json.value(true)
            json.null()
            json.beginObject()
            json.endObject()
            json.value(-2.5)
            json.endArray()
            json.field("c", "d")
            json.field("e", UInt64.max)
            json.endObject()
        }
        #expect(text == #"{"a":1,"b":[true,null,{},-2.5],"c":"d","e":18446744073709551615}"#)
    }

    static let texts: [(text: [UInt8], json: String)] = [
        (Array("a\"b\\c".utf8), #""a\"b\\c""#), (Array("\n\r\t\u{1}\u{1F}".utf8), #""\n\r\t\u0001\u001f""#),
        (Array("é漢🦊\u{7F}/".utf8), "\"é漢🦊\u{7F}/\""), ([], "\"\""), ([0x61, 0xFF, 0x62], "\"a\u{FFFD}b\""),
        ([0xC0, 0x80], "\"\u{FFFD}\u{FFFD}\""), ([0xED, 0xA0, 0x80], "\"\u{FFFD}\u{FFFD}\u{FFFD}\""),
    ]

    @Test(arguments: texts) func escapes(_ text: [UInt8], _ json: String) {
        #expect(text.withView { view in written { $0.value(view) } } == json)
    }

    @Test func numbersThatJSONHasNot() {
        #expect(written { $0.value(Double.nan) } == "null")
        #expect(written { $0.value(Int64.min) } == "-9223372036854775808")
    }
}
