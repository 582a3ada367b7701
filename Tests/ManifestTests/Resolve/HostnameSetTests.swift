import Testing

@testable import Manifest

@Suite struct HostnameSets {
    private static let names = [
        "", "example.com", "a.example.com", "b.a.example.com", "*.example.com", "*.a.example.com", "*.com",
        "example.org", "*.example.org", "com", "badexample.com",
    ]

    /// The set answers as asking each member would.
    @Test(arguments: names, names) func intersectsWhatAMemberIntersects(_ member: String, _ name: String) {
        var set = HostnameSet()
        #expect(!set.intersects(name))
        set.insert(member)
        #expect(set.intersects(name) == (Hostname.intersection(member, name) != nil), "\(member) and \(name)")
    }

    @Test func severalMembersCount() {
        var set = HostnameSet()
        for name in ["x.example.com", "*.example.org"] { set.insert(name) }
        #expect(set.intersects("*.example.com") && set.intersects("a.b.example.org"))
        #expect(!set.intersects("example.org") && !set.intersects("*.x.example.com"))
    }
}
