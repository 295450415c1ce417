// The effective value of each setting, and where it comes from: flags, environment, a settings file, `.env.local`, `.env`,
// default. The only file that reads the process environment.

import Glibc

/// The effective settings.
package struct Configuration: Sendable {
  /// Where a value came from.
  package enum Origin: Sendable, Hashable, CustomStringConvertible {
    case flag
    case environment
    /// The settings file of a person, or of the system.
    case settingsFile(String)
    case envLocalFile
    case envFile
    case fallback

    /// For people.
    package var description: String {
      switch self {
      case .flag: "command line"
      case .environment: "environment"
      case .settingsFile(let path): path
      case .envLocalFile: ".env.local"
      case .envFile: ".env"
      case .fallback: "default"
      }
    }
  }

  /// One sentence about the settings for the person who starts the bridge.
  package struct Notice: Sendable, Equatable {
    /// How much it matters.
    package enum Level: Sendable { case info, warning, error }

    /// How much it matters.
    package let level: Level
    /// The sentence. Never holds a secret.
    package let text: String
  }

  /// Names and values from one place.
  package struct Source: Sendable {
    let origin: Origin
    let values: [String: String]

    /// Pairs names with values.
    package init(_ origin: Origin, _ values: [String: String]) {
      self.origin = origin
      self.values = values
    }
  }

  private var values: [String: any Sendable] = [:]
  private var origins: [String: Origin] = [:]
  private var texts: [String: String] = [:]

  /// Which files were read or skipped, lines of them that say nothing, values and names that look like mistakes.
  package internal(set) var notices: [Notice] = []
  /// The settings file that was read.
  let readSettingsFile: String?
  /// The process environment, from which the child's minimal one is made.
  let environment: [String: String]
  /// Waits and bounds that are no settings.
  let paces: Paces

  /// Merges `sources`; earlier ones win.
  init(
    sources: [Source], environment: [String: String] = [:], paces: Paces = Paces()
  ) throws(ConfigurationError) {
    self.environment = environment
    self.paces = paces
    readSettingsFile =
      sources.lazy.compactMap { if case .settingsFile(let path) = $0.origin { path } else { nil } }.first
    for setting in Settings.all {
      guard let source = Self.source(of: setting, in: sources), let text = source.values[setting.name] else {
        origins[setting.name] = .fallback
        continue
      }
      guard let value = setting.read(text.trimmingSpaces()) else {
        let shown = setting.isSecret ? "…" : "“\(text.printable)”"
        throw ConfigurationError(
          description: "\(setting.name)=\(shown) (from \(source.origin)): expected \(setting.allowed)")
      }
      values[setting.name] = value
      texts[setting.name] = text
      origins[setting.name] = source.origin
    }
    let warnings = suspiciousValues() + Self.retiredNames(in: sources) + Self.misspellings(in: sources)
    notices = warnings.map { Notice(level: .warning, text: $0) }
  }

  private static func source(of setting: any AnySetting, in sources: [Source]) -> Source? {
    sources.first { !($0.values[setting.name] ?? "").isEmpty }
  }

  static func text(of setting: any AnySetting, in sources: [Source]) -> String? {
    source(of: setting, in: sources)?.values[setting.name]
  }

  /// The texts of notices that are warnings.
  package var warnings: [String] { notices.filter { $0.level == .warning }.map(\.text) }

  /// The value of a setting.
  subscript<Value>(_ setting: Setting<Value>) -> Value {
    values[setting.name] as? Value ?? setting.fallback
  }

  /// The value of a setting as text for people; secrets are masked.
  package func shown(_ setting: any AnySetting) -> String {
    let text = texts[setting.name] ?? setting.fallbackText
    return setting.isSecret && !text.isEmpty ? "********" : text
  }

  /// Where the value of a setting came from.
  package func origin(of setting: any AnySetting) -> Origin {
    origins[setting.name] ?? .fallback
  }

  /// The directory Codex works in, absolute.
  var workingDirectory: String { FileContents.resolved(self[Settings.workingDirectory] ?? ".") }

  /// The environment of this process.
  package static var processEnvironment: [String: String] {
    var result: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      next += 1
      let text = String(cString: entry)
      guard let equals = text.firstIndex(of: "=") else { continue }
      result[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return result
  }

  /// Names that nobody but the bridge uses.
  private static let ownPrefix = "CODEX_BRIDGE_"
  private static let commonPrefix = "CODEX_"
  /// Variables of Codex that look like settings of the bridge.
  private static let namesOfCodex: Set<String> = ["CODEX_API_KEY", "CODEX_SESSION_ID"]

  /// Warnings about values that look like mistakes: `docker run --env-file` keeps quotes as they are, and no client can send a
  /// key that was copied with the end of its line.
  private func suspiciousValues() -> [String] {
    var result: [String] = []
    for setting in Settings.all {
      guard let whole = texts[setting.name] else { continue }
      let text = whole.trimmingSpaces()
      let parts = setting.isSecret ? text.split(separator: ",").map { $0.trimmingSpaces() } : []
      if ([text] + parts).contains(where: Self.isQuoted) {
        result.append("\(setting.name) has quotes around it, which are taken for a part of it")
      }
      if setting.isSecret, whole.unicodeScalars.contains(where: Self.isControl) {
        let isInside = text.unicodeScalars.contains(where: Self.isControl)
        result.append(
          "\(setting.name) has a line feed or another control character in it, "
            + (isInside ? "which no client can send" : "which is left out at its ends"))
      }
    }
    return result
  }

  private static func isQuoted(_ text: String) -> Bool {
    text.count > 1 && text.first == text.last && text.first.map { "\"'`".contains($0) } == true
  }

  private static func isControl(_ scalar: UnicodeScalar) -> Bool { scalar.properties.generalCategory == .control }

  private static func retiredNames(in sources: [Source]) -> [String] {
    sources.flatMap { source in
      Settings.retired.filter { !(source.values[$0] ?? "").isEmpty }.sorted().map { name in
        "\(name) (from \(source.origin)) has no effect any more; it can be removed"
      }
    }
  }

  private static func misspellings(in sources: [Source]) -> [String] {
    let known = Set(Settings.all.map(\.name)).union(namesOfCodex).union(Settings.retired)
    let strangers = Set(sources.flatMap(\.values.keys)).filter {
      $0.hasPrefix(commonPrefix) && !known.contains($0)
    }
    return strangers.sorted().compactMap { name in
      let hint = hint(for: name)
      return hint.isEmpty && !name.hasPrefix(ownPrefix) ? nil : "\(name) is not a setting\(hint)"
    }
  }

  static func hint(for name: String) -> String {
    let near = Settings.all.map(\.name).filter { isLike(name, $0) }
    let distance = { (known: String) in stem(of: known) == stem(of: name) ? 0 : editDistance(known, name) }
    let nearest = near.min { distance($0) < distance($1) }
    return nearest.map { "; did you mean \($0)?" } ?? ""
  }

  /// Whether `known` may be meant by `name`: the same but for a few letters, for a prefix, or for words left out or added.
  private static func isLike(_ name: String, _ known: String) -> Bool {
    let stem = stem(of: name)
    let knownStem = Self.stem(of: known)
    if stem == knownStem || editDistance(name, known) <= min(3, max(1, stem.utf8.count / 2)) { return true }
    if known.hasPrefix("\(name)_") || name.hasPrefix("\(known)_") || knownStem.hasSuffix("_\(stem)") {
      return true
    }
    // No other program uses this prefix, so one word in common is enough.
    let words = knownStem.split(separator: "_")
    return name.hasPrefix(ownPrefix) && known.hasPrefix(ownPrefix)
      && stem.split(separator: "_").contains { word in
        words.contains { editDistance(String(word), String($0)) <= 1 }
      }
  }

  /// The name without its prefix.
  private static func stem(of name: String) -> Substring {
    name.dropFirst([ownPrefix, commonPrefix].first { name.hasPrefix($0) }?.count ?? 0)
  }

  /// Levenshtein distance: insertions, deletions and replacements that turn one name into the other.
  static func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8.prefix(64))
    let right = Array(right.utf8.prefix(64))
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let replaced = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
