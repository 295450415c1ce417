// What the app-server is started with, and above all what it is not given.

import Glibc
import Testing

@testable import Bridge

struct ChildCommandTests {
  private let home: ScratchDirectory

  init() throws { home = try ScratchDirectory() }

  private func command(
    _ environment: [String: String] = [:], overrides: [String] = [], pass: [String] = [], program: String = "codex"
  ) -> ChildCommand {
    ChildCommand(
      program: program, overrides: overrides, codexHome: home.path, workingDirectory: "/work",
      passedVariables: pass,
      environment: environment)
  }

  /// The environment of the child, by name.
  private func childEnvironment(_ environment: [String: String], pass: [String] = []) -> [String: String] {
    let lines = command(environment, pass: pass).command(executable: "/bin/codex").environment
    return Dictionary(
      uniqueKeysWithValues: lines.map { line in
        let parts = line.components(separatedBy: "=")
        return (parts[0], parts.dropFirst().joined(separator: "="))
      })
  }

  // MARK: Login

  @Test func theCommandToLogInIsForAShell() {
    let user = getuid() > 0 && getuid() < 1000
    let told = command(program: "/opt/my codex/bin/codex").loginCommand
    // A path that is not there is told as it was given.
    #expect(user || told == "CODEX_HOME=\(home.path) '/opt/my codex/bin/codex' login")
    #expect(!user || told.hasPrefix("sudo -u "))
    #expect(
      command(["BRIDGED_LOGIN_COMMAND": "docker compose run login"]).loginCommand == "docker compose run login")
  }

  @Test(arguments: [
    ("plain/0.1_a-b=c", "plain/0.1_a-b=c"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
    ("$(x)", "'$(x)'"),
    ("é", "'é'"),
  ])
  func quotesForAShell(_ text: String, _ quoted: String) { #expect(text.shellQuoted == quoted) }

  // MARK: The program

  @Test func whatTheInstallerPutThereIsFoundAfterPath() throws {
    for folder in [
      "path", "data", "data/codexbridge", "data/codexbridge/bin", ".local", ".local/share",
      ".local/share/codexbridge", ".local/share/codexbridge/bin",
    ] { mkdir("\(home.path)/\(folder)", 0o755) }
    for name in ["path/codex", "data/codexbridge/bin/codex", ".local/share/codexbridge/bin/codex"] {
      try home.write("#!/bin/sh\n", to: name)
      chmod("\(home.path)/\(name)", 0o755)
    }
    let places = ["HOME": home.path, "PATH": "\(home.path)/none"]
    #expect(command(places).locate() == "\(home.path)/.local/share/codexbridge/bin/codex")
    let inData = places.merging(["XDG_DATA_HOME": "\(home.path)/data"]) { $1 }
    #expect(command(inData).locate() == "\(home.path)/data/codexbridge/bin/codex")
    #expect(command(inData.merging(["PATH": "\(home.path)/path"]) { $1 }).locate() == "\(home.path)/path/codex")
    // A name that somebody has chosen is not replaced by another program.
    #expect(command(inData, program: "other").locate() == nil)
    #expect(command(["PATH": "\(home.path)/none", "XDG_DATA_HOME": "data"]).locate() == nil)
  }

  // MARK: Instructions

  @Test func filesOfInstructionsThatAreCutAreFound() throws {
    let paths = ["AGENTS.md", "a.md", "b.md", "c.md"].map { "\(home.path)/\($0)" }
    for (path, bytes) in zip(paths, [9000, 60, 50, 1]) {
      try home.write(String(repeating: "x", count: bytes), to: String(path.dropFirst(home.path.count + 1)))
    }
    let cut = { (limit: Int) in
      InstructionFiles.cutFiles(paths, home: home.path, limit: limit).map { "\($0.path.suffix(4)) \($0.bytes)" }
    }
    #expect(cut(111).isEmpty)
    #expect(cut(110) == ["c.md 1"])
    #expect(cut(100) == ["b.md 50", "c.md 1"])
    #expect(InstructionFiles.cutFiles(["/nonexistent/AGENTS.md"], home: home.path, limit: 0).isEmpty)
  }

  private static let secrets = [
    "CODEX_BRIDGE_API_KEY", "CODEX_BRIDGE_KEYS_FILE", "OPENAI_API_KEY", "CODEX_API_KEY", "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID", "GITHUB_TOKEN", "DATABASE_URL", "MY_PASSWORD", "SSH_AUTH_SOCK", "LD_PRELOAD", "LC",
    "ANTHROPIC_API_KEY", "NOTIFY_SOCKET", "LISTEN_FDS",
  ]

  @Test(arguments: secrets)
  func secretsStayBehind(_ name: String) {
    #expect(childEnvironment([name: "secret", "PATH": "/bin"])[name] == nil)
  }

  @Test func onlyKnownVariablesGoAlong() {
    var environment = Dictionary(uniqueKeysWithValues: Self.secrets.map { ($0, "secret") })
    environment.merge(["PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "https_proxy": "p", "LANG": "de"]) { $1 }
    #expect(
      childEnvironment(environment) == [
        "PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "https_proxy": "p", "LANG": "de", "CODEX_HOME": home.path,
      ])
  }

  @Test func variablesNamedInTheSettingsGoAlong() {
    let environment = ["A_KEY": "1", "B_KEY": "2", "CODEX_BRIDGE_API_KEY": "3"]
    let child = childEnvironment(environment, pass: ["A_KEY", "MISSING"])
    #expect(child["A_KEY"] == "1")
    #expect(child["B_KEY"] == nil)
    #expect(child["MISSING"] == nil)
    #expect(child["CODEX_BRIDGE_API_KEY"] == nil)
  }

  @Test func variablesNamedInCodexConfigurationGoAlong() throws {
    try home.write(
      """
      model = "m"
      # env_key = "COMMENTED_KEY"
      [model_providers.x]
      env_key = "X_KEY" # the key
      [mcp_servers.y]
      bearer_token_env_var='Y_TOKEN'
      """, to: "config.toml")
    let child = childEnvironment(["X_KEY": "1", "Y_TOKEN": "2", "COMMENTED_KEY": "3", "OPENAI_API_KEY": "4"])
    #expect(child["X_KEY"] == "1")
    #expect(child["Y_TOKEN"] == "2")
    #expect(child["COMMENTED_KEY"] == nil)
    #expect(child["OPENAI_API_KEY"] == nil)
  }

  @Test(arguments: [
    ("env_key = \"A\"", ["A"]), ("env_key=\"A\"", ["A"]), ("  env_key = 'A'  ", ["A"]),
    ("env_key = \"A\" # c", ["A"]),
    ("bearer_token_env_var = \"A\"", ["A"]), ("env_key = \"\"", []), ("# env_key = \"A\"", []),
    ("xenv_key = \"A\"", []),
    ("env_key_instructions = \"set A\"", []), ("name = \"env_key\"", []), ("", []), ("env_key", []),
    ("env_key = \"A\"\r\nenv_key = \"B\"\r\n", ["A", "B"]),
    // The same table may be written on one line or by its whole name.
    ("x = { name = \"n\", env_key = \"A\" }", ["A"]), ("model_providers.x.env_key = \"A\"", ["A"]),
    ("\"env_key\" = \"A\"", ["A"]),
  ])
  func findsKeyVariables(_ config: String, _ names: [String]) {
    #expect(ChildCommand.keyVariables(inConfig: config) == names)
  }

  @Test func startsTheAppServerWithOverrides() throws {
    let command = command(overrides: ["a=1", "b=\"x y\""]).command(executable: "/opt/codex")
    let arguments = command.arguments
    #expect(arguments.last == "app-server")
    #expect(command.workingDirectory == "/work")
    for override in ["a=1", "b=\"x y\"", "features.shell_snapshot=false"] {
      let index = try #require(arguments.firstIndex(of: override))
      #expect(arguments[index - 1] == "-c")
    }
    #expect(command.file == "/opt/codex" || arguments.contains("/opt/codex"))
  }

  @Test func looksForBareNamesOnThePath() throws {
    try home.makeDirectory("bin")
    try home.write("#!/bin/sh", to: "bin/tool")
    let path = "/nonexistent:\(home.file("bin"))"
    #expect(command(["PATH": path], program: "tool").locate() == nil)
    #expect(chmod(home.file("bin/tool"), 0o700) == 0)
    #expect(command(["PATH": path], program: "tool").locate() == home.file("bin/tool"))
    #expect(command(["PATH": path], program: "other").locate() == nil)
    #expect(command(program: home.file("bin/tool")).locate() == home.file("bin/tool"))
    #expect(command(program: home.file("bin/none")).locate() == nil)
  }

  @Test func knowsTheHomeOfCodex() {
    #expect(command().home == home.path)
    let plain = ChildCommand(
      program: "codex", overrides: [], codexHome: nil, workingDirectory: "/", passedVariables: [],
      environment: ["HOME": "/home/x"])
    #expect(plain.home == "/home/x/.codex")
    #expect(!plain.command(executable: "c").environment.contains { $0.hasPrefix("CODEX_HOME=") })
  }
}
