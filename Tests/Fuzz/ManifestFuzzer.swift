import Core
import Manifest

/// Any octets as a manifest: no trap, no endless loop, and every finding has a place in the file.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzManifest(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: count))
    let lines = octets.count { $0 == ASCII.lf } + 1
    for finding in ManifestReader.read(files: [("f", octets)]).findings {
        check((1...lines).contains(finding.location.line), "a finding outside of the file")
        check((1...(count + 1)).contains(finding.location.column), "a finding outside of its line")
    }
    return 0
}
