// Nothing that decides what the bridge does lies where Codex's commands may write.

import Glibc
import Testing

@testable import Bridge

struct SandboxReachTests {
  private let home: ScratchDirectory
  private let work: ScratchDirectory

  init() throws {
    home = try ScratchDirectory(in: "/var/tmp")
    work = try ScratchDirectory(in: "/var/tmp")
  }

  private func refusal(
    _ mode: String, _ settings: [String: String] = [:], environment: [String: String] = [:],
    settingsFile: String? = nil
  ) throws -> String? {
    let all = ["CODEX_WORKDIR": work.path, "CODEX_SANDBOX_MODE": mode].merging(settings) { $1 }
    let file = settingsFile.map { [Configuration.Source(.settingsFile($0), [:])] } ?? []
    let configuration = try Configuration(
      sources: [.init(.flag, all)] + file, environment: ["HOME": home.path].merging(environment) { $1 })
    do throws(ConfigurationError) {
      try StartChecks.checkDirectories(configuration)
      return nil
    } catch {
      return error.description
    }
  }

  @Test(arguments: SandboxMode.allCases) func theDefaultsAreOutOfReach(_ mode: SandboxMode) throws {
    #expect(try refusal(mode.rawValue) == nil)
  }

  /// Each place that decides something, in each directory that `workspace-write` opens.
  @Test(
    arguments: ["CODEX_STATE_DIR", "CODEX_HOME", "--env-file", "HOME"],
    ["work", "below", "link", "/tmp", "TMPDIR", "root"])
  func withinReachTheStartIsRefused(_ what: String, _ reach: String) throws {
    let temporary = try ScratchDirectory()
    var settings: [String: String] = [:]
    var environment: [String: String] = [:]
    var path = work.path
    switch reach {
    case "below":
      path = work.file("below")
      try work.makeDirectory("below")
    case "link":
      path = home.file("link")
      #expect(symlink(work.path, path) == 0)
    case "/tmp": path = temporary.path
    case "TMPDIR":
      path = home.file("temporary")
      try home.makeDirectory("temporary")
      environment["TMPDIR"] = path
    case "root":
      path = home.file("root")
      try home.makeDirectory("root")
      settings["CODEX_CONFIG"] = "sandbox_workspace_write.writable_roots=[\"/srv/x\", '\(path)']"
    default: break
    }
    var file: String?
    switch what {
    case "--env-file": file = "\(path)/bridged.env"
    case "HOME": environment["HOME"] = path
    default: settings[what] = path
    }
    let line = try #require(try refusal("workspace-write", settings, environment: environment, settingsFile: file))
    #expect(line.contains("workspace-write") && !line.contains("\n"))
    #expect(line.hasSuffix("set \(what == "HOME" ? "CODEX_STATE_DIR" : what)"))
    for mode in ["read-only", "danger-full-access"] {
      #expect(try refusal(mode, settings, environment: environment, settingsFile: file) == nil)
    }
  }

  /// To Swift the same text, to the file system two directories.
  @Test func namesAreComparedByTheirBytes() throws {
    try work.makeDirectory("caf\u{E9}")
    try work.makeDirectory("cafe\u{301}")
    let settings = ["CODEX_WORKDIR": work.file("caf\u{E9}"), "CODEX_STATE_DIR": work.file("cafe\u{301}")]
    #expect(try refusal("workspace-write", settings) == nil)
  }

  @Test @LoopActor func whatOneShouldKnowIsSaid() throws {
    func warnings(_ mode: String, program: String) throws -> [String] {
      let settings = ["CODEX_WORKDIR": work.path, "CODEX_SANDBOX_MODE": mode, "CODEX_BIN": program]
      return SandboxReach.warnings(try Configuration(sources: [.init(.flag, settings)]))
    }
    try work.write("", to: "codex")
    #expect(try warnings("read-only", program: work.file("codex")) == [])
    #expect(try warnings("workspace-write", program: "/bin/sh") == [])
    #expect(
      try warnings("workspace-write", program: work.file("codex")).first?.contains(work.file("codex")) == true)
    #expect(try warnings("danger-full-access", program: "/bin/sh").count == 1)
  }
}
