import Support
import Testing

/// The example that `make run-group` starts, on free ports.
@Suite("Group demo") struct GroupDemoTests {
    @Test func aCanaryInTheMiddleOfAChainOfCalls() throws {
        let group = try Ports.free()
        let via = ["--via", "127.0.0.1:\(group)"]
        let price = ["--call", "http://price.shop/"] + via
        let backends: [(port: Int, echo: EchoBackend)] = [
            (
                9110,
                try EchoBackend(
                    "front", options: ["--call", "http://cart.shop/", "--call", "http://stock.shop/"] + via)
            ), (9111, try EchoBackend("cart-v1", options: price)), (9112, try EchoBackend("cart-v2", options: price)),
            (9113, try EchoBackend("stock")), (9121, try EchoBackend("price-v1")), (9122, try EchoBackend("price-v2")),
        ]
        var manifests = Repository.text("routes/group-demo.yaml").replacing("15081", with: "\(group)")
        for (port, echo) in backends { manifests = manifests.replacing("port: \(port)", with: "port: \(echo.port)") }
        // Each worker keeps the weights by itself: of one, forty calls are exactly divided.
        let gateway = try Gateway(manifests, workers: 1)
        func chain(_ fields: [(String, String)]) throws -> String? {
            try Client(port: group).request("GET", "http://front.shop/", host: "front.shop", fields: fields)[
                "x-echo-chain"]
        }
        // The version goes from the first request to the last service, through applications that hand on baggage.
        #expect(try chain([("x-version", "v2")]) == "front(cart-v2(price-v2),stock)")
        var seen: [String: Int] = [:]
        for _ in 0..<40 { seen[try chain([]) ?? "", default: 0] += 1 }
        #expect(seen == ["front(cart-v1(price-v1),stock)": 36, "front(cart-v2(price-v2),stock)": 4])
        // A name of the short form, and one that nobody has.
        #expect(try Client(port: group).request("GET", "/", host: "stock")["x-echo-chain"] == "stock")
        #expect(try Client(port: group).request("GET", "/", host: "example.com").status == 403)
        withExtendedLifetime(gateway) {}
    }
}
