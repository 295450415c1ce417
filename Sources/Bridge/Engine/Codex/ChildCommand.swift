// How the app-server is started: its program, its arguments and the few environment variables that it gets.

import Glibc

/// The command line and environment of the `codex app-server` child.
struct ChildCommand: Sendable {
  /// Settings of Codex that the bridge always overrides: an unsubscribed thread leaves the memory at once, no login shell
  /// is run for each thread, and variables that look like secrets are not passed to the model's commands.
  private static let baseOverrides = [
    "thread_unload_delay_secs=0",
    "features.shell_snapshot=false",
    "shell_environment_policy.ignore_default_excludes=false",
  ]

  /// The variables that a program needs to find its files, to speak the user's language and to reach the network. None of
  /// them holds a key.
  private static let inherited: Set<String> = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "TERM",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME", "XDG_DATA_HOME", "RUST_LOG",
  ]

  let program: String
  /// Overrides of Codex's configuration (`KEY=VALUE`), besides the bridge's own.
  let overrides: [String]
  let codexHome: String?
  let workingDirectory: String
  /// Names of further variables that Codex gets.
  let passedVariables: [String]
  /// The environment of the bridge.
  let environment: [String: String]
  /// Overrides that depend on the executable, asked for at each start.
  var overridesAtStart: @Sendable @LoopActor (_ executable: String) -> [String] = { _ in [] }

  /// The directory where Codex keeps its files.
  var home: String { codexHome ?? environment["HOME"].map { "\($0)/.codex" } ?? ".codex" }

  /// A line for a shell that logs in this Codex: with the program, the home and the user of the bridge. A container image
  /// sets the line by a variable, because it has to be run outside of the container.
  var loginCommand: String {
    if let given = environment[Self.loginCommandVariable], !given.isEmpty { return given }
    let home = home.hasPrefix("/") ? home : "\(workingDirectory)/\(home)"
    let login = ["CODEX_HOME=\(home)", locate() ?? program, "login"].map(\.shellQuoted).joined(separator: " ")
    guard let user = Self.serviceUser else { return login }
    // Nobody can log in as a service account, and it has no browser.
    let ownHome = "HOME=\(environment["HOME"] ?? "/")".shellQuoted
    return "sudo -u \(user.shellQuoted) env \(ownHome) \(login) --device-auth"
  }

  private static let loginCommandVariable = "BRIDGED_LOGIN_COMMAND"

  /// The name of the account that the bridge runs in, if it is a service account: Linux gives those ids below a thousand.
  private static var serviceUser: String? {
    let id = getuid()
    guard id > 0, id < 1000, let entry = getpwuid(id) else { return nil }
    return String(cString: entry.pointee.pw_name)
  }

  /// The path of the program; nil when it is not found. Where no setting names another, that is the one on PATH, else the one
  /// that deploy/install.sh has installed for this user.
  func locate() -> String? {
    if program.contains("/") { return access(program, F_OK) == 0 ? program : nil }
    return Programs.find(program, path: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin") ?? installed
  }

  private var installed: String? {
    guard program == Settings.codexBinary.fallback else { return nil }
    let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    guard let data = data ?? environment["HOME"].map({ "\($0)/.local/share" }) else { return nil }
    return Programs.find(program, path: "\(data)/codexbridge/bin")
  }

  /// The command of an app-server that is started now.
  @LoopActor
  func appServer(executable: String) -> ChildProcess.Command {
    command(executable: executable, further: overridesAtStart(executable))
  }

  /// The command of an app-server; `further` overrides come last.
  func command(executable: String, further: [String] = []) -> ChildProcess.Command {
    var arguments: [String] = []
    for override in Self.baseOverrides + overrides + further { arguments += ["-c", override] }
    return command(executable: executable, arguments: arguments + ["app-server"])
  }

  /// The command of something else that Codex can do.
  func command(executable: String, arguments: [String]) -> ChildProcess.Command {
    // A child that reads its input ends with the bridge, which closes the pipe. One that hangs would not.
    ChildProcess.Command(
      file: executable,
      arguments: arguments,
      environment: childEnvironment().sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
      workingDirectory: workingDirectory
    ).endedWithBridge
  }

  private func childEnvironment() -> [String: String] {
    let named = Set(passedVariables + providerKeyVariables())
    var result = environment.filter {
      Self.inherited.contains($0.key) || $0.key.hasPrefix("LC_") || named.contains($0.key)
    }
    result["CODEX_HOME"] = codexHome
    return result
  }

  /// The variables that Codex's own configuration names as holding the key of a provider or server. Without them the same
  /// configuration would work in a terminal and fail here.
  private func providerKeyVariables() -> [String] {
    guard case .bytes(let bytes) = FileContents.read("\(home)/config.toml", limit: 1 << 20) else {
      return []
    }
    return Self.keyVariables(inConfig: String(decoding: bytes, as: UTF8.self))
  }

  /// The values of `env_key` and `bearer_token_env_var` in a `config.toml`. They may stand on lines of their own, in inline
  /// tables or behind dotted names.
  static func keyVariables(inConfig text: String) -> [String] {
    text.split(whereSeparator: \.isNewline).flatMap { line -> [String] in
      guard !line.trimmingSpaces().hasPrefix("#") else { return [] }
      return ["env_key", "bearer_token_env_var"].flatMap { values(of: $0, in: line) }
    }
  }

  /// The quoted values of `key = "value"` in a line of TOML; `key` may itself be quoted.
  private static func values(of key: String, in line: Substring) -> [String] {
    var found: [String] = []
    var rest = line
    while let range = rest.firstRange(of: key) {
      let before = rest[..<range.lowerBound].last
      let startsWord = before.map { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") } ?? true
      rest = rest[range.upperBound...]
      var value = rest
      if let before, "\"'".contains(before), value.first == before { value.removeFirst() }
      value = value.drop { $0 == " " || $0 == "\t" }
      guard startsWord, value.first == "=" else { continue }
      value = value.dropFirst().drop { $0 == " " || $0 == "\t" }
      guard let quote = value.first, "\"'".contains(quote), let end = value.dropFirst().firstIndex(of: quote)
      else {
        continue
      }
      let name = value[value.index(after: value.startIndex)..<end]
      if !name.isEmpty { found.append(String(name)) }
    }
    return found
  }
}
