import Testing

@testable import Manifest

@Suite struct HostnameIntersection {
    @Test(arguments: [
        ("", "", ""), ("", "a.example.com", "a.example.com"), ("*.example.com", "", "*.example.com"),
        ("a.example.com", "a.example.com", "a.example.com"), ("*.example.com", "a.example.com", "a.example.com"),
        ("a.example.com", "*.example.com", "a.example.com"), ("*.example.com", "a.b.example.com", "a.b.example.com"),
        ("*.example.com", "*.b.example.com", "*.b.example.com"), ("*.com", "*.example.com", "*.example.com"),
        ("*.example.com", "*.example.com", "*.example.com"),
    ]) func isTheNarrowerOfTwo(_ a: String, _ b: String, _ both: String) {
        #expect(Hostname.intersection(a, b) == both)
        #expect(Hostname.intersection(b, a) == both)
    }

    @Test(arguments: [
        ("a.example.com", "b.example.com"), ("*.example.com", "example.com"), ("*.example.com", "badexample.com"),
        ("*.example.com", "*.example.org"), ("*.a.example.com", "b.example.com"), ("*.example.com", ".example.com"),
    ]) func isEmptyOtherwise(_ a: String, _ b: String) {
        #expect(Hostname.intersection(a, b) == nil)
        #expect(Hostname.intersection(b, a) == nil)
    }

    @Test func ofAListenerAndARouteKeepsTheRoutesOrderWithoutRepeats() {
        let route = ["b.example.com", "x.org", "*.example.com", "a.example.com"]
        #expect(Hostname.intersections(listener: "a.example.com", route: route) == ["a.example.com"])
        #expect(
            Hostname.intersections(listener: "*.example.com", route: route)
                == ["b.example.com", "*.example.com", "a.example.com"])
        #expect(Hostname.intersections(listener: "", route: []) == [""])
    }
}
