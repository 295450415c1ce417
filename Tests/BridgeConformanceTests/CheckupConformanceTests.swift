// `bridged doctor` at the real Codex.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct CheckupConformanceTests {
  @LoopActor
  private func check(_ settings: [String: String] = [:], demo: Bool) async throws -> (
    status: Int32, lines: [String]
  ) {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    var values = [
      "CODEX_BIN": try #require(RealCodex.program), "CODEX_STATE_DIR": directory.path,
      "CODEX_WORKDIR": directory.path,
      "PORT": "0",
    ]
    if !demo { values["CODEX_HOME"] = directory.path }
    values.merge(settings) { $1 }
    let configuration = try Configuration(
      sources: [.init(.flag, values)], environment: Configuration.processEnvironment)
    var lines: [String] = []
    let status = await Checkup.run(configuration, demo: demo, isBridge: { false }) { lines.append($0) }
    return (status, lines)
  }

  @Test(arguments: [true, false]) @LoopActor
  func onlyADemoNeedsNoLogin(_ isDemo: Bool) async throws {
    let (status, lines) = try await check(demo: isDemo)
    #expect(status == (isDemo ? 0 : 1), "\(lines)")
    #expect(lines.contains("ok      login") == isDemo)
    #expect(lines.contains { $0.hasPrefix("ok      Codex ") })
  }

  /// It works all the same, and so does everything else.
  @Test(arguments: [true, false]) @LoopActor
  func aPlainChatThatKeepsToolsIsTold(_ listsModels: Bool) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let refusal = listsModels ? "" : #"[ "$1" = debug ] && exit 2; "#
    try directory.write("#!/bin/sh\n\(refusal)exec '\(try #require(RealCodex.program))' \"$@\"\n", to: "codex")
    chmod("\(directory.path)/codex", 0o755)
    let (status, lines) = try await check(["CODEX_BIN": "\(directory.path)/codex"], demo: true)
    #expect(status == 0, "\(lines)")
    #expect(lines.contains("ok      plain chat") == listsModels)
    #expect(lines.contains { $0.hasPrefix("warning plain chat: ") } != listsModels)
  }

  @Test @LoopActor
  func aBrokenConfigurationIsToldWithItsPlace() async throws {
    let home = try TemporaryDirectory()
    defer { home.remove() }
    try home.write("model = \"gpt-5.5\"\n# fine\nmodel_reasoning_effort = = \"low\"\n", to: "config.toml")
    let (status, lines) = try await check(["CODEX_HOME": home.path], demo: false)
    #expect(status == 1)
    let told = lines.first { $0.hasPrefix("not ok  Codex's configuration: ") } ?? "\(lines)"
    #expect(told.contains("\(home.path)/config.toml:3:26: "), "\(told)")
    #expect(lines.contains { $0.hasPrefix("ok      Codex ") })
  }

  @Test @LoopActor
  func aMissingLoginIsToldWithTheCommand() async throws {
    let home = try TemporaryDirectory()
    defer { home.remove() }
    let (_, lines) = try await check(["CODEX_HOME": home.path], demo: false)
    let program = try #require(RealCodex.program)
    let told = lines.first { $0.hasPrefix("not ok  login: ") } ?? "\(lines)"
    #expect(told.contains("CODEX_HOME=\(home.path) \(program) login"), "\(told)")
  }

  /// Where root may write and still can make no file.
  @Test @LoopActor
  func aStateDirectoryIsTried() async throws {
    let (status, lines) = try await check(["CODEX_STATE_DIR": "/proc"], demo: false)
    #expect(status == 1)
    #expect(lines.contains { $0.hasPrefix("not ok  state directory: /proc: ") })
  }

  @Test @LoopActor
  func aWrongDefaultIsToldOf() async throws {
    let (status, lines) = try await check(["CODEX_REASONING": "banana"], demo: true)
    #expect(status == 0)
    #expect(lines.contains { $0.hasPrefix("warning ") && $0.contains("CODEX_REASONING") })
  }
}
