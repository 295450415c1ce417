// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

// Which commit is built, for `bridged version`: what builds the program says so by this variable (deploy/install.sh, the
// Dockerfile). `Context.gitInformation` would not do: SwiftPM keeps it with the manifest, and tells an old commit for as long
// as this file stays as it is.
let commit = (Context.environment["BRIDGED_COMMIT"] ?? "").prefix(64)
  .filter { $0.isASCII && ($0.isLetter || $0.isNumber || ".-+".contains($0)) }

let package = Package(
  name: "CodexBridge",
  products: [.executable(name: "bridged", targets: ["bridged"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CLibUV",
      pkgConfig: "libuv",
      providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]
    ),
    .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
    // Without pkg-config, like the last.
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]),
    .systemLibrary(name: "CLibMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"]), .brew(["libmd"])]),
    // Without pkg-config, whose flags for it SwiftPM does not let pass.
    .systemLibrary(name: "CUtf8proc", providers: [.apt(["libutf8proc-dev"]), .brew(["utf8proc"])]),
    .systemLibrary(name: "CBuildCommit"),
    .target(
      name: "Bridge",
      dependencies: [
        "CBuildCommit",
        "CCrypt",
        "CLibMD",
        "CLibUV",
        "CSQLite",
        "CUtf8proc",
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "Logging", package: "swift-log"),
      ],
      resources: [
        .embedInCode("Dashboard/Page/page.html"),
        .embedInCode("Dashboard/Page/style.css"),
        .embedInCode("Dashboard/Page/chat.css"),
        .embedInCode("Dashboard/Page/core.js"),
        .embedInCode("Dashboard/Page/language.js"),
        .embedInCode("Dashboard/Page/session.js"),
        .embedInCode("Dashboard/Page/frame.js"),
        .embedInCode("Dashboard/Page/approvals.js"),
        .embedInCode("Dashboard/Page/start.js"),
        .embedInCode("Dashboard/Page/markdown-inline.js"),
        .embedInCode("Dashboard/Page/markdown-blocks.js"),
        .embedInCode("Dashboard/Page/markdown-view.js"),
        .embedInCode("Dashboard/Page/chat-messages.js"),
        .embedInCode("Dashboard/Page/chat-history.js"),
        .embedInCode("Dashboard/Page/chat-stream.js"),
        .embedInCode("Dashboard/Page/chat-turns.js"),
        .embedInCode("Dashboard/Page/chat-controls.js"),
        .embedInCode("Dashboard/Page/chat-log.js"),
        .embedInCode("Dashboard/Page/chat-steps.js"),
        .embedInCode("Dashboard/Page/chat-answers.js"),
        .embedInCode("Dashboard/Page/chat-composer.js"),
        .embedInCode("Dashboard/Page/chat-sessions.js"),
        .embedInCode("Dashboard/Page/chat-notices.js"),
        .embedInCode("Dashboard/Page/chat-drafts.js"),
        .embedInCode("Dashboard/Page/chat.js"),
        .embedInCode("Dashboard/Page/activity.js"),
        .embedInCode("Dashboard/Page/sessions.js"),
        .embedInCode("Dashboard/Page/connect.js"),
        .embedInCode("Dashboard/Page/bridge.js"),
        .embedInCode("Dashboard/Page/main.js"),
        .embedInCode("Gateway/openapi.json"),
      ],
      swiftSettings: settings + (commit.isEmpty ? [] : [.unsafeFlags(["-Xcc", "-DBRIDGED_COMMIT=\"\(commit)\""])])
    ),
    .executableTarget(
      name: "bridged",
      dependencies: [
        "Bridge",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings
    ),
    // It has no tests. As a test target it is left out of `swift build -c release`, where `@testable` cannot be.
    .testTarget(
      name: "BridgeTestSupport", dependencies: ["Bridge", "CLibUV"], path: "Tests/Support",
      swiftSettings: settings),
    .testTarget(name: "BridgeTests", dependencies: ["Bridge", "BridgeTestSupport"], swiftSettings: settings),
    .testTarget(name: "BridgeWireTests", dependencies: ["Bridge", "BridgeTestSupport"], swiftSettings: settings),
    .testTarget(name: "BridgeFaultTests", dependencies: ["Bridge", "BridgeTestSupport"], swiftSettings: settings),
    .testTarget(
      name: "BridgeConformanceTests", dependencies: ["Bridge", "BridgeTestSupport"], swiftSettings: settings),
  ]
)
