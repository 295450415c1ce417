// Where values come from, and what is said about bad ones.

import Testing

@testable import Bridge

struct ConfigurationTests {
  /// Loads with `.env` files of these texts, which a person has trusted.
  private func load(
    flags: [String: String] = [:], environment: [String: String] = [:], local: String? = nil, file: String? = nil
  ) throws -> Configuration {
    let place = try SettingsPlace()
    for (name, text) in [(".env.local", local), (".env", file)] {
      guard let text else { continue }
      try place.directory.write(text, to: name)
      try place.trust(name)
    }
    return try place.load(flags: flags, environment: environment)
  }

  /// The line that refuses these settings.
  private func refusal(
    flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
  ) -> String? {
    do {
      _ = try load(flags: flags, environment: environment, file: file)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func earlierSourcesWin() throws {
    var configuration = try load()
    #expect(configuration[Settings.port] == 8080)
    #expect(configuration.origin(of: Settings.port) == .fallback)
    configuration = try load(file: "PORT=1")
    #expect(configuration[Settings.port] == 1)
    #expect(configuration.origin(of: Settings.port) == .envFile)
    configuration = try load(local: "PORT=2", file: "PORT=1")
    #expect(configuration[Settings.port] == 2)
    #expect(configuration.origin(of: Settings.port) == .envLocalFile)
    configuration = try load(environment: ["PORT": "3"], local: "PORT=2", file: "PORT=1")
    #expect(configuration[Settings.port] == 3)
    #expect(configuration.origin(of: Settings.port) == .environment)
    configuration = try load(flags: ["PORT": "4"], environment: ["PORT": "3"], local: "PORT=2", file: "PORT=1")
    #expect(configuration[Settings.port] == 4)
    #expect(configuration.origin(of: Settings.port) == .flag)
  }

  @Test func eachSettingLooksForItself() throws {
    let configuration = try load(
      flags: ["PORT": "4"], environment: ["HOST": "a"], local: "CODEX_MODEL=m", file: "CODEX_MODEL=x\nCODEX_BIN=b")
    #expect(configuration[Settings.port] == 4)
    #expect(configuration[Settings.host] == ["a"])
    #expect(configuration[Settings.model] == "m")
    #expect(configuration[Settings.codexBinary] == "b")
  }

  @Test func anEmptyVariableCountsAsAbsent() throws {
    let configuration = try load(environment: ["PORT": "", "CODEX_MODEL": ""], file: "PORT=7")
    #expect(configuration[Settings.port] == 7)
    #expect(configuration[Settings.model] == nil)
    #expect(configuration.origin(of: Settings.model) == .fallback)
  }

  @Test func blanksAroundAValueDoNotCount() throws {
    #expect(try load(environment: ["PORT": " 9 "])[Settings.port] == 9)
  }

  @Test(arguments: [
    ("PORT", "70000", "a number from 0 to 65535"), ("PORT", "http", "a number"),
    ("CODEX_SANDBOX_MODE", "rw", "read-only"),
    ("CODEX_JSON_LIMIT", "huge", "10mb"), ("CODEX_TURN_TIMEOUT", "soon", "30s"),
    ("CODEX_SKIP_GIT_CHECK", "maybe", "true or false"),
    ("CODEX_LOG_FORMAT", "xml", "text, json"), ("CODEX_MAX_CONCURRENT_TURNS", "0", "from 1"),
    ("CODEX_CORS_ORIGINS", "foo", "https://chat.example"), ("CODEX_CONFIG", "foo", "key=value"),
  ])
  func aBadValueIsNamedWithItsPlace(_ name: String, _ value: String, _ allowed: String) throws {
    for (line, origin) in [
      (refusal(flags: [name: value]), "command line"), (refusal(environment: [name: value]), "environment"),
      (refusal(file: "\(name)=\(value)"), ".env"),
    ] {
      let line = try #require(line, "accepted")
      for part in [name, value, allowed, origin] { #expect(line.contains(part)) }
    }
  }

  @Test func aRefusalIsOneLine() throws {
    let line = try #require(refusal(environment: ["PORT": "80\nHOST=0.0.0.0"]))
    #expect(!line.contains("\n"))
  }

  /// A server that listens nowhere and says nothing about it would be the result.
  @Test func hostsCannotBeAnEmptyList() {
    #expect(refusal(environment: ["HOST": " , "]) != nil)
  }

  @Test func aHiddenBadValueIsNotShadowedByAGoodOne() throws {
    #expect(try load(environment: ["PORT": "80"], file: "PORT=bad")[Settings.port] == 80)
  }

  @Test func secretsAreMasked() throws {
    let configuration = try load(environment: ["CODEX_BRIDGE_API_KEY": "hunter2,other"])
    #expect(configuration[Settings.apiKeys] == ["hunter2", "other"])
    for setting in Settings.all {
      #expect(!configuration.shown(setting).contains("hunter2"))
    }
    #expect(!configuration.shown(Settings.apiKeys).isEmpty)
  }

  @Test func otherValuesAreShown() throws {
    let configuration = try load(environment: ["CODEX_MODEL": "gpt-x"])
    #expect(configuration.shown(Settings.model) == "gpt-x")
    #expect(configuration.shown(Settings.port) == "8080")
    #expect(configuration.shown(Settings.bodyLimit) == "10mb")
  }

  @Test(
    arguments: [
      ("CODEX_MODL", "CODEX_MODEL"), ("CODEX_BRIDGE_API_KEYS", "CODEX_BRIDGE_API_KEY"),
      ("CODEX_BRIDGE_APIKEY", "CODEX_BRIDGE_API_KEY"), ("CODEX_TURN_TIMOUT", "CODEX_TURN_TIMEOUT"),
      ("CODEX_SANDBOX", "CODEX_SANDBOX_MODE"), ("CODEX_TIMEOUT", "CODEX_TURN_TIMEOUT"),
      ("CODEX_WORKDIR_PATH", "CODEX_WORKDIR"), ("CODEX_PORT", "PORT"), ("CODEX_HOST", "HOST"),
      ("CODEX_BRIDGE_KEY", "CODEX_BRIDGE_API_KEY"), ("CODEX_BRIDGE_KEYS_FILE", "CODEX_BRIDGE_API_KEY"),
      ("CODEX_BRIDGE_PORT", "PORT"), ("CODEX_BRIDGE_MODEL", "CODEX_MODEL"),
      ("CODEX_COMPLETELY_DIFFERENT", nil), ("MODEL", nil), ("PATH", nil), ("CODEX_MODEL", nil),
      ("CODEX_PORTS", nil),
    ] as [(String, String?)])
  func unknownNamesGetAHint(_ name: String, _ meant: String?) throws {
    let warnings = try load(environment: [name: "x"]).warnings
    #expect(warnings.count == (meant == nil ? 0 : 1))
    if let meant {
      let warning = try #require(warnings.first)
      #expect(warning.contains(name))
      #expect(warning.hasSuffix("did you mean \(meant)?"))
    }
  }

  /// Nobody else has names there, so whatever it is, it was meant for the bridge.
  @Test func anUnknownNameOfOurOwnIsAlwaysToldOf() throws {
    #expect(try load(environment: ["CODEX_BRIDGE_XYZ": "x"]).warnings == ["CODEX_BRIDGE_XYZ is not a setting"])
  }

  /// Variables of Codex itself (those of codex-cli 0.163.0) are nobody's typing error.
  @Test(arguments: [
    "CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "CODEX_CA_CERTIFICATE", "CODEX_CI", "CODEX_CLOUD_TASKS_BASE_URL",
    "CODEX_CONNECTORS_TOKEN", "CODEX_EXEC_SERVER_URL", "CODEX_GITHUB_PERSONAL_ACCESS_TOKEN", "CODEX_HOME",
    "CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "CODEX_MANAGED_BY_BUN", "CODEX_MANAGED_BY_NPM",
    "CODEX_NETWORK_ALLOW_LOCAL_BINDING", "CODEX_NETWORK_PROXY_ACTIVE", "CODEX_NON_INTERACTIVE",
    "CODEX_OSS_BASE_URL", "CODEX_OSS_PORT", "CODEX_PERMISSION_PROFILE", "CODEX_RELEASE",
    "CODEX_ROLLOUT_TRACE_ROOT",
    "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_SESSION_ID", "CODEX_SQLITE_HOME", "CODEX_THREAD_ID",
    "CODEX_TOOL_CALL_ID", "CODEX_TUI_RECORD_SESSION", "CODEX_URL", "CODEX_VERSION",
  ])
  func variablesOfCodexAreLeftAlone(_ name: String) throws {
    #expect(try load(environment: [name: "x"]).warnings == [])
  }

  // MARK: Names that were settings once

  @Test func aRetiredNameIsToldOfWhereverItStands() throws {
    let configuration = try load(
      flags: ["CODEX_START_WAIT": "soon"], environment: ["CODEX_WARM_THREADS": "4", "CODEX_IMAGE_TIMEOUT": ""],
      file: "PORT=7\nCODEX_QUEUE_NOTICE=1s")
    #expect(configuration[Settings.port] == 7)
    #expect(
      configuration.warnings == [
        "CODEX_START_WAIT (from command line) has no effect any more; it can be removed",
        "CODEX_WARM_THREADS (from environment) has no effect any more; it can be removed",
        "CODEX_QUEUE_NOTICE (from .env) has no effect any more; it can be removed",
      ])
    let shown = SettingsDocuments.effective(configuration)
    #expect(shown.contains("\n# warning: CODEX_WARM_THREADS (from environment) has no effect any more"))
    #expect(!shown.contains("CODEX_WARM_THREADS="))
  }

  /// It was a level once, and whoever has it written down shall not find the service refusing to start.
  @Test func aRetiredLevelOfTheLogIsReadAsTheNextOne() throws {
    let configuration = try load(environment: ["CODEX_LOG_LEVEL": "trace"])
    #expect(configuration[Settings.logLevel] == .debug)
    #expect(configuration.warnings == [])
    #expect(!Settings.logLevel.allowed.contains("trace"))
  }

  @Test func aRetiredNameIsNoSetting() {
    #expect(Settings.retired.isDisjoint(with: Settings.all.map(\.name)))
  }

  // MARK: Malformed files

  @Test func linesOfAFileThatCannotBeReadAreToldOf() throws {
    let file = "# fine\nPORT=7\nhunter2\n=hunter2\n\nexport hunter2 x\nCODEX_MODEL='a\nb'\nhunter2"
    let configuration = try load(local: "hunter2\nHOST=127.0.0.1", file: file)
    #expect(configuration[Settings.port] == 7)
    #expect(configuration[Settings.model] == "a\nb")
    let places = [".env.local, line 1:", ".env, line 3:", ".env, line 4:", ".env, line 6:", ".env, line 9:"]
    #expect(configuration.warnings.count == places.count)
    for (warning, place) in zip(configuration.warnings, places) { #expect(warning.hasPrefix(place)) }
    // It may be a secret that lost its name.
    #expect(!configuration.warnings.contains { $0.contains("hunter2") })
  }

  @Test func anUnknownFlagIsRefusedWithAHint() throws {
    let line = try #require(refusal(flags: ["CODEX_MODL": "x"]))
    #expect(line.contains("CODEX_MODL"))
    #expect(line.contains("did you mean CODEX_MODEL?"))
  }

  /// `docker run --env-file` does not remove them.
  @Test(arguments: ["\"key\"", "'key'", "one,\"two\"", "\"one,two\""])
  func quotesAroundAKeyAreToldOf(_ key: String) throws {
    let warnings = try load(environment: ["CODEX_BRIDGE_API_KEY": key]).warnings
    #expect(warnings.count == 1)
    #expect(warnings.first?.hasPrefix("CODEX_BRIDGE_API_KEY has quotes around it") == true)
    #expect(!warnings.joined().contains(key))
  }

  @Test(arguments: ["one\ntwo", "one\r\n", "one\n,two"])
  func aLineFeedInAKeyIsToldOf(_ key: String) throws {
    let warnings = try load(environment: ["CODEX_BRIDGE_API_KEY": key]).warnings
    #expect(warnings.count == 1)
    #expect(warnings.first?.hasPrefix("CODEX_BRIDGE_API_KEY has a line feed") == true)
  }

  @Test(arguments: ["\"m\"", "'m'"]) func quotesAroundAnyValueAreToldOf(_ model: String) throws {
    #expect(try load(environment: ["CODEX_MODEL": model]).warnings.count == 1)
    #expect(try load(file: "CODEX_MODEL=\(model)").warnings == [])
  }

  @Test(arguments: ["key", "it's", "a\"b", "'", " key "]) func ordinaryKeysAreNotToldOf(_ key: String) throws {
    #expect(try load(environment: ["CODEX_BRIDGE_API_KEY": key]).warnings == [])
  }

  @Test func theDefaultsAreSafe() throws {
    let configuration = try load()
    #expect(configuration[Settings.host] == ["127.0.0.1"])
    #expect(configuration[Settings.sandboxMode] == .readOnly)
    #expect(configuration[Settings.approvalPolicy] == .never)
    #expect(!configuration[Settings.networkAccess])
    #expect(!configuration[Settings.webSearch])
    #expect(!configuration[Settings.logRequests])
    #expect(configuration[Settings.corsOrigins] == [])
  }
}
