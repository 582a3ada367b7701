import Core
import HTTP
import Testing

@Suite("RFC 9110, section 5.6.1") struct ListElementsTests {
    @Test(arguments: [
        ("", [""]), ("a", ["a"]), ("a,b", ["a", "b"]), (" a ,\tb\t", ["a", "b"]), ("a,", ["a", ""]), (",a", ["", "a"]),
        (",,", ["", "", ""]), ("a b, c", ["a b", "c"]),
    ]) func elements(_ value: String, _ expected: [String]) {
        let found = value.withView { view in
            var elements = ListElements(view)
            var found: [String] = []
            while let element = elements.next() { found.append(element.string) }
            return found
        }
        #expect(found == expected)
    }
}
