import Config
import Testing

@testable import Manifest

@Suite("Command operators in bodies") struct BodyTemplateTests {
    @Test(
        arguments: [
            ("", []), ("plain", [.text("plain")]), ("100%", [.text("100%")]), ("100%% sure", [.text("100% sure")]),
            ("width: 50%; a", [.text("width: 50%; a")]), ("%", [.text("%")]), ("%abc%", [.text("%abc%")]),
            ("%%REQ(A)%%", [.text("%REQ(A)%")]),
            ("%RESPONSE_CODE%", [.value(CommandOperator(.responseCode))]),
            (
                "a %REQ(X-Id?X-B):8% b",
                [
                    .text("a "),
                    .value(CommandOperator(.requestField, name: "x-id", alternative: "x-b", length: 8)), .text(" b"),
                ]
            ),
            ("%REQ(:PATH)%", [.value(CommandOperator(.path))]), ("%REQ(:method)%", [.value(CommandOperator(.method))]),
            ("%STREAM_ID%%PROTOCOL%", [.value(CommandOperator(.requestID)), .value(CommandOperator(.protocol))]),
            ("%REQ(A", [.text("%REQ(A")]), ("%REQ(A):x%", [.text("%REQ(A):x%")]),
        ] as [(String, [CustomResponsePlan.BodyPart])]) func parts(
            _ text: String, _ expected: [CustomResponsePlan.BodyPart]
        )
    {
        #expect(BodyTemplate.parse(text) == .success(expected))
    }

    @Test(arguments: ["%HOSTNAME%", "%START_TIME(%s)%", "a %UPSTREAM_HOST% b", "%REQ(:scheme)%", "%REQ()%"])
    func whatIsNotThere(_ text: String) {
        guard case .failure(let problem) = BodyTemplate.parse(text) else {
            Issue.record("'\(text)' was taken")
            return
        }
        #expect(problem.message.contains("not supported by Sluice"))
    }
}
