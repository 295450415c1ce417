// The article Settings and deploy/bridged.env.example against the table of settings. On failure the test prints what
// the documents should say, ready to be copied.

import Testing

@testable import Bridge

struct SettingsDocsTests {
  private func text(of path: String) -> String {
    SourceTree.text("\(SourceTree.root)/\(path)") ?? ""
  }

  /// Names of settings that begin a row of a Markdown table.
  private func rows(_ text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      line.prefixMatch(of: /\| `([A-Z][A-Z0-9_]*)` \|/).map { String($0.1) }
    }
  }

  @Test func theArticleHasTheTables() {
    let tables = SettingsDocuments.markdownTable
    #expect(
      text(of: "\(MarkdownDocument.catalogue)/Users/AllSettings.md").hasSuffix("\n\n\(tables)\n"),
      "AllSettings.md should end with what `bridged config --markdown` prints:\n\(tables)")
  }

  @Test func theTablesNameEverySettingOnce() {
    let names = rows(SettingsDocuments.markdownTable)
    #expect(names.sorted() == Settings.all.map(\.name).sorted())
    #expect(SettingsGroup.all.first?.settings.count == 10)
  }

  /// What `--help` is made of.
  @Test func flagsNameTheirSettings() {
    let flagged = Settings.all.filter { $0.flag != nil }
    #expect(
      flagged.map { "--\($0.flag ?? "") \($0.name)" } == [
        "--host HOST", "--port PORT", "--model CODEX_MODEL", "--codex-bin CODEX_BIN", "--workdir CODEX_WORKDIR",
        "--sandbox CODEX_SANDBOX_MODE", "--log-level CODEX_LOG_LEVEL",
      ])
    #expect(
      SettingsDocuments.flagHelp(Settings.sandboxMode)
        == "What the commands Codex runs may touch. One of read-only, workspace-write, danger-full-access "
        + "(CODEX_SANDBOX_MODE).")
    let choice = Settings.logLevel.allowed
    #expect(SettingsDocuments.flagHelp(Settings.logLevel).contains(choice.dropFirst()))
  }

  @Test func theExampleNamesEverySetting() {
    let lines = text(of: "deploy/bridged.env.example").split(separator: "\n")
    let named = lines.compactMap { $0.prefixMatch(of: /#?([A-Z][A-Z0-9_]*)=/).map { String($0.1) } }
    var faults: [String] = []
    for setting in Settings.all where !lines.contains(where: { $0.hasPrefix("#\(setting.name)=") }) {
      faults.append("\(setting.name) is missing")
    }
    let names = Set(Settings.all.map(\.name))
    faults += named.filter { !names.contains($0) }.map { "\($0) is no setting" }
    #expect(
      faults.isEmpty,
      """
      deploy/bridged.env.example: \(faults.joined(separator: "; "))
      It should be:
      \(SettingsDocuments.environmentExample)
      """)
  }

  /// The page is made of the table: nothing of it is lost, and nothing of it is a request or an escape by accident.
  @Test func theManualPageNamesEverySetting() {
    let page = SettingsDocuments.manualPage
    let lines = page.split(separator: "\n")
    for setting in Settings.all {
      #expect(lines.count { $0 == ".B \(setting.name)" } == 1, "\(setting.name)")
    }
    #expect(lines.filter { $0.hasPrefix("Default: ") }.count == Settings.all.count)
    #expect(!page.contains("`"))
    #expect(page.contains(".B PORT\nThe TCP port; 0 lets the system choose"))
    #expect(page.contains("Default: \\fB127.0.0.1\\fR."))
    #expect(page.contains("Default: below \\(ti/.local/state/bridged"))
    #expect(page.contains("read\\-only"))
    let requests: Set<Substring> = [".TH", ".SH", ".TP", ".TQ", ".B", ".BR", ".I", ".PP", ".br"]
    for line in lines where line.hasPrefix(".") || line.hasPrefix("'") {
      #expect(requests.contains(line.prefix { $0 != " " }), "\(line)")
    }
    // Every escape is one that the page means.
    let escapes = Set(#"\fB \fI \fR \- \(ti \(ha \(aq \e \&"#.split(separator: " "))
    for match in page.matches(of: /\\(?:f.|\(..|.)/) {
      #expect(escapes.contains(match.0), "\(match.0)")
    }
  }

  /// Whoever keeps sessions or settings in a clone should not see them as changes, nor commit a key.
  @Test func gitIgnoresWhatTheBridgeWrites() {
    let ignored = text(of: ".gitignore").split(separator: "\n")
    for name in [
      ThreadMap.fileName, StateLock.fileName, ChatListFile.name, ChatThreadFile.name, ".codex_demo/", ".env",
      ".env.local",
    ] {
      #expect(ignored.contains(Substring(name)), "\(name)")
    }
  }

  /// Somebody will remove the `#` of a line and change nothing else.
  @Test func theExampleCanBeUsedAsItIs() throws {
    let text = text(of: "deploy/bridged.env.example").split(separator: "\n").map { line in
      line.prefixMatch(of: /#[A-Z][A-Z0-9_]*=/) == nil ? line : line.dropFirst()
    }.joined(separator: "\n")
    let configuration = try Configuration(sources: [.init(.envFile, DotEnv(Array(text.utf8)).values)])
    let defaults = try Configuration(sources: [])
    for setting in Settings.all {
      #expect(configuration.shown(setting) == defaults.shown(setting), "\(setting.name)")
    }
    #expect(configuration.warnings == [])
  }

  /// What `bridged config` prints.
  @Test func theEffectiveSettingsCanBeReadBack() throws {
    let values = [
      "HOST": "127.0.0.1,::1", "PORT": "9", "CODEX_MODEL": "a#b 'c' \"d\"", "CODEX_CONFIG": "a=\"#\";b='x'",
      "CODEX_BIN": "/a\\b", "CODEX_REASONING": "one\ntwo", "CODEX_SHOW_ACTIVITY": "yes",
    ]
    let environment = values.merging(["CODEX_BRIDGE_API_KEY": "hunter2", "HOME": "/home/somebody"]) { $1 }
    let before = try Configuration(sources: [.init(.environment, environment)], environment: environment)
    let text = SettingsDocuments.effective(before)
    let file = DotEnv(Array(text.utf8))
    #expect(file.faults == [])
    #expect(file.values == values, "\(text)")
    #expect(!text.contains("hunter2"))
    let after = try Configuration(
      sources: [.init(.envFile, file.values)], environment: ["HOME": "/home/somebody"])
    for setting in Settings.all where !setting.isSecret {
      #expect(after.shown(setting) == before.shown(setting), "\(setting.name)")
    }
    for setting in Settings.all where before.origin(of: setting) == .fallback {
      #expect(text.contains("\n#\(setting.name)="), "\(setting.name)")
    }
  }

  /// Nothing of it drives a terminal.
  @Test func whatNoLineCanHoldIsAComment() throws {
    let text = SettingsDocuments.effective(
      try Configuration(sources: [.init(.environment, ["CODEX_MODEL": "a\u{1B}[2Jb", "HOME": "/h"])]))
    #expect(!text.contains("\u{1B}"))
    #expect(DotEnv(Array(text.utf8)).values["CODEX_MODEL"] == nil)
  }
}
