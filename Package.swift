// swift-tools-version: 6.1
// The first page of the architecture: each room, and what it may import. Arrows go down only; the build refuses the rest
// (`swift build --explicit-target-dependency-import-check error`). docs/architecture.md tells what each room is for.
import PackageDescription

// Checks against overlapping access stay on in debug builds, where the tests run; traps stay on everywhere.
// `-assume-single-threaded`: no process of the family has a second thread (`make check-binary` proves that none can start
// one), so counting references needs no locked instructions; it saves four in a hundred. Whoever brings a thread removes it.
// `-cross-module-optimization`: without it a call between rooms costs a third more (docs/performance.md).
let roomSettings: [SwiftSetting] = [
    .unsafeFlags(
        [
            "-enforce-exclusivity=unchecked", "-cross-module-optimization", "-static-stdlib", "-Xfrontend",
            "-assume-single-threaded",
        ],
        .when(configuration: .release))
]

func room(_ name: String, _ imports: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: imports, exclude: exclude, swiftSettings: roomSettings)
}

func tests(
    of name: String, _ imports: [Target.Dependency] = [], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.target(name: name)] + imports, exclude: exclude, resources: resources)
}

let package = Package(
    name: "sluice",
    products: [.executable(name: "sluice", targets: ["sluice"])],
    targets: [
        // C libraries, each imported by exactly one room.
        .target(name: "CLinux", path: "Sources/C/Linux"),
        .systemLibrary(
            name: "COpenSSL", path: "Sources/C/OpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CPCRE2", path: "Sources/C/PCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(
            name: "CYAML", path: "Sources/C/YAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(
            name: "CCares", path: "Sources/C/Cares", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),

        .systemLibrary(
            name: "CNghttp2", path: "Sources/C/Nghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),

        // Its pkg-config file asks for a flag that the package manager warns of.
        .systemLibrary(name: "CHiredis", path: "Sources/C/Hiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CZlib", path: "Sources/C/Zlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CBrotli", path: "Sources/C/Brotli", pkgConfig: "libbrotlienc", providers: [.apt(["libbrotli-dev"])]),
        .systemLibrary(name: "CZstd", path: "Sources/C/Zstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // The data plane.
        room("Core", []),
        room("IO", ["Core", "CLinux"]),
        room("TLS", ["Core", "COpenSSL"]),
        room("HTTP", ["Core", "CNghttp2"]),
        room("Connection", ["Core", "IO", "TLS", "HTTP"]),
        room("Config", ["Core", "HTTP"]),
        room("Routing", ["Core", "HTTP", "Config", "CPCRE2"]),
        room("Upstream", ["Core", "Config"]),
        room("Compression", ["Core", "HTTP", "CZlib", "CBrotli", "CZstd"]),
        room("Telemetry", ["Core", "IO"]),
        room("Names", ["Core", "IO", "CCares"]),
        room("Redis", ["Core", "CHiredis"]),
        room(
            "Proxy",
            [
                "Core", "IO", "TLS", "HTTP", "Connection", "Config", "Routing", "Upstream", "Names", "Redis",
                "Compression", "Telemetry",
            ]),

        // The control side.
        room("Manifest", ["Core", "HTTP", "TLS", "Config", "Routing", "CYAML"]),
        room(
            "Controller",
            [
                "Core", "IO", "HTTP", "Connection", "Config", "Routing", "Upstream", "Telemetry", "Manifest", "Proxy",
                "Names",
            ]),
        room("Supervisor", ["Core", "IO"]),
        // The process that stands in when a family is gone; it reads nothing that anybody wrote.
        room("Guard", ["Core", "IO"]),
        .executableTarget(
            name: "sluice",
            dependencies: [
                "Core", "IO", "TLS", "HTTP", "Connection", "Config", "Routing", "Upstream", "Redis", "Telemetry",
                "Proxy", "Manifest", "Controller", "Supervisor", "Guard",
            ],
            swiftSettings: roomSettings,
            linkerSettings: [.unsafeFlags(["-static-stdlib"], .when(configuration: .release))]),

        // What several rooms' tests use, and a family of actors for the supervisor's.
        .target(name: "Support", dependencies: ["Core", "IO"], path: "Tests/Support"),
        .executableTarget(name: "stage", dependencies: ["Core", "IO", "Supervisor"], path: "Tests/Stage"),

        // Tests mirror the rooms.
        .target(name: "AllocationCount", path: "Tests/AllocationCount"),
        tests(of: "Core"),
        tests(of: "IO", ["Core", "Support"]),
        tests(of: "Supervisor", ["Core", "IO", "Support", "stage"]),
        tests(of: "Guard", ["Core", "IO", "Support", "stage"]),
        tests(of: "HTTP", ["Core", "Support"], exclude: ["Corpus"]),
        tests(of: "Config", ["Core", "HTTP"]),
        tests(of: "Routing", ["Core", "HTTP", "Config"]),
        // What a client of Brotli links; the program has only the encoder.
        .systemLibrary(name: "CBrotliDecoder", path: "Tests/BrotliDecoder", pkgConfig: "libbrotlidec"),
        tests(of: "Compression", ["Core", "HTTP", "CZlib", "CZstd", "CBrotliDecoder", "AllocationCount"]),
        tests(of: "Connection", ["Core", "IO", "TLS", "HTTP", "Support"]),
        tests(
            of: "Proxy",
            ["Core", "IO", "HTTP", "Config", "Routing", "Telemetry", "Upstream", "Support", "AllocationCount"]),
        tests(of: "Telemetry", ["Core", "IO"]),
        tests(
            of: "Controller",
            [
                "Core", "IO", "Connection", "Config", "Routing", "Upstream", "Telemetry", "Proxy", "Manifest",
                "Support",
            ]),
        tests(of: "TLS", ["Core", "COpenSSL", "Support", "AllocationCount"], exclude: ["Corpus"]),
        tests(of: "Manifest", ["Core", "Config", "Support"], exclude: ["Corpus", "Golden"]),
        tests(of: "Upstream", ["Core", "Config"]),
        tests(of: "Names", ["Core"]),
        tests(of: "Redis", ["Core"]),

        // The program itself, as a process, between a test's clients and backends.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                .target(name: "sluice"), .target(name: "Core"), .target(name: "IO"), .target(name: "Support"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
