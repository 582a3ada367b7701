import Core
import Testing

@testable import Manifest

@Suite("Overlapping listeners") struct ListenerOverlapTests {
    @Test(arguments: [
        ([["a.example.com"], ["b.example.com"]], [Int?.none, nil]),
        ([["a.example.com"], ["a.example.com"], ["a.example.com"]], [1, 0, 0]),
        ([["*.example.com"], ["a.b.example.com"], ["example.com"]], [1, 0, nil]),
        ([["*.b.example.com"], ["*.example.com"]], [1, 0]),
        ([[""], ["a.example.com"], ["b.example.org"]], [1, 0, 0]),
        ([["a.example.com", "a.example.com"], ["x.org"]], [nil, nil]),
        ([[], ["x.org"]], [nil, nil]),
        ([["a.org", "b.org"], ["c.org"], ["*.org"]], [2, 2, 0]),
    ])
    func partners(lists: [[String]], wanted: [Int?]) {
        #expect(ListenerOverlap.partners(lists) == wanted)
        // The quick way and the definition agree on who overlaps at all.
        for (number, names) in lists.enumerated() {
            let overlaps = lists.enumerated().contains { other, others in
                other != number
                    && names.contains { name in others.contains { Hostname.intersection(name, $0) != nil } }
            }
            #expect(overlaps == (wanted[number] != nil))
        }
    }
}
