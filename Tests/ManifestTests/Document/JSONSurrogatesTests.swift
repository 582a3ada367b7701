import Core
import Testing

@testable import Manifest

@Suite struct JSONSurrogatesTests {
    @Test(arguments: [
        (#"{"a":"\ud83e\udd8a"}"#, #"{"a":"\U0001f98a"}"#),
        (#" [ "x\uD83E\uDD8Ay\ud83e\udd8a" ]"#, #" [ "x\U0001f98ay\U0001f98a" ]"#),
    ])
    func joins(text: String, joined: String) {
        #expect(text.withView { JSONSurrogates.joined($0) } == Array(joined.utf8))
    }

    @Test(arguments: [
        #"{"a":"b"}"#, #"{"a":"\\ud83e\\udd8a"}"#, #"{"a":"\ud83e"}"#, #"{"a":"\ud83ex\udd8a"}"#,
        #"{"a":"\udd8a\ud83e"}"#,
        #"a: '\ud83e\udd8a'"#, #"{"a":"\ud83e\udd8"#, "", "  ", #"{"\"#,
    ])
    func leavesAlone(text: String) {
        #expect(text.withView { JSONSurrogates.joined($0) } == nil)
    }
}
