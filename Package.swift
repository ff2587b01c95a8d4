// swift-tools-version: 6.2
// The floors of the house, from the ground up; `scripts/tidy` checks that imports only point down.
import PackageDescription

let common: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let swift = common + [.strictMemorySafety()]

func floor(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swift)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: swift)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: common)
}

let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "loci",
    products: [
        .library(name: "LociClient", targets: ["LociClient"]),
        .executable(name: "loci", targets: ["loci"]),
        .executable(name: "loci-coordinator", targets: ["loci-coordinator"]),
        .executable(name: "loci-shard", targets: ["loci-shard"]),
        .executable(name: "loci-simulate", targets: ["loci-simulate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // C: system libraries and shims.
        .target(name: "CXXHash"),
        .target(name: "CLinux", linkerSettings: [.linkedLibrary("uring")]),
        .target(
            name: "CKernels", cxxSettings: [.headerSearchPath(".")],
            linkerSettings: [.linkedLibrary("hwy"), .linkedLibrary("m")]),
        .target(name: "CWire", linkerSettings: [.linkedLibrary("protobuf-c")]),
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),

        // 0 ground
        floor("LociBase", ["CXXHash"]),
        // 1 meaning
        floor("LociModel", ["LociBase"]),
        floor("LociKernels", ["LociBase", "LociModel", "CKernels"]),
        // 2 speaking, keeping, knowing
        floor("LociWire", ["LociBase", "LociModel", "CWire"]),
        floor("LociTransport", ["LociBase", "LociModel", "CZeroMQ", "CLinux"]),
        floor("LociStorage", ["LociBase", "LociModel", "CLinux", "CZstd"]),
        floor("LociTiering", ["LociBase", "LociModel", "CLinux"]),
        floor("LociSearch", ["LociBase", "LociModel", "LociKernels"]),
        floor("LociPrefetch", ["LociBase", "LociModel"]),
        floor("LociText", ["LociBase", "LociModel"]),
        floor("LociPlacement", ["LociBase", "LociModel"]),
        // 3 deciding
        floor(
            "LociCluster",
            [
                "LociBase", "LociModel", "LociKernels", "LociWire", "LociStorage", "LociTiering",
                "LociSearch", "LociText", "LociPlacement", "LociPrefetch",
            ]),
        // 4 driving
        floor(
            "LociRuntime",
            [
                "LociBase", "LociModel", "LociWire", "LociTransport", "LociStorage", "LociTiering",
                "LociSearch", "LociPlacement", "LociPrefetch", "LociCluster", "CLinux", yaml,
                logging,
            ]),
        floor(
            "LociSimulation",
            [
                "LociBase", "LociModel", "LociKernels", "LociWire", "LociStorage", "LociTiering",
                "LociSearch", "LociPlacement", "LociPrefetch", "LociCluster",
            ]),
        floor(
            "LociClient",
            ["LociBase", "LociModel", "LociWire", "LociTransport", "LociPlacement"]),
        floor("LociImport", ["LociBase", "LociModel", "LociText", "CZlib"]),
        // 5 programs
        program(
            "loci",
            [
                "LociBase", "LociModel", "LociKernels", "LociStorage", "LociTiering",
                "LociSearch", "LociPrefetch", "LociTransport", "LociClient", "LociImport",
                "LociRuntime", "LociSimulation",
                arguments, histogram,
            ]),
        program("loci-simulate", ["LociSimulation", arguments]),
        program("loci-coordinator", ["LociBase", "LociModel", "LociRuntime", arguments]),
        program("loci-shard", ["LociBase", "LociModel", "LociRuntime", arguments]),

        tests("LociKernelsTests", ["LociBase", "LociKernels"]),
        tests("LociFilteringTests", ["LociBase", "LociModel", "LociSearch"]),
        tests("LociSearchTests", ["LociBase", "LociModel", "LociKernels", "LociSearch"]),
        tests("LociTextTests", ["LociBase", "LociModel", "LociText"]),
        tests("LociImportTests", ["LociBase", "LociModel", "LociImport"]),
        tests("LociStorageTests", ["LociBase", "LociModel", "LociStorage", "CLinux"]),
        tests("LociTieringTests", ["LociBase", "LociModel", "LociTiering"]),
        tests("LociPrefetchTests", ["LociBase", "LociModel", "LociPrefetch"]),
        tests("LociPlacementTests", ["LociBase", "LociModel", "LociPlacement"]),
        tests("LociWireTests", ["LociBase", "LociModel", "LociWire"]),
        tests("LociTransportTests", ["LociBase", "LociModel", "LociTransport"]),
        tests(
            "LociClientTests", ["LociBase", "LociModel", "LociWire", "LociClient", "LociTransport"]),
        tests(
            "LociSimulationTests",
            [
                "LociBase", "LociModel", "LociPlacement", "LociPrefetch", "LociTiering",
                "LociSearch", "LociSimulation",
            ]),
        tests(
            "LociClusterTests",
            [
                "LociBase", "LociModel", "LociPlacement", "LociStorage", "LociTiering",
                "LociSearch",
                "LociPrefetch", "LociWire", "LociCluster",
            ]),
        tests(
            "LociProcessTests",
            [
                "LociBase", "LociModel", "LociPlacement", "LociWire", "LociTransport", "LociClient",
                "loci", "loci-shard", "loci-coordinator",
            ]),
        tests(
            "LociRuntimeTests",
            [
                "LociBase", "LociModel", "LociStorage", "LociTiering", "LociSearch",
                "LociRuntime", "LociTransport",
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
