// Where each setting's value comes from: flags, environment, `.env.local`, `.env`, default.
// The only file that reads the process environment. The result is immutable.

import Glibc

/// A configuration that cannot be used; one line that names the variable, the value and what is allowed.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The line for the person who starts the bridge.
  public let description: String
}

/// The effective settings.
public struct Configuration: Sendable {
  /// Where a value came from.
  public enum Origin: String, Sendable {
    case flag = "command line"
    case environment
    case envLocalFile = ".env.local"
    case envFile = ".env"
    case fallback = "default"
  }

  /// Names and values from one place.
  public struct Source: Sendable {
    let origin: Origin
    let values: [String: String]

    /// Pairs names with values.
    public init(_ origin: Origin, _ values: [String: String]) {
      self.origin = origin
      self.values = values
    }
  }

  private var values: [String: any Sendable] = [:]
  private var origins: [String: Origin] = [:]
  private var texts: [String: String] = [:]

  /// Unknown variables that look like known ones, and lines of files that say nothing: one sentence each.
  public private(set) var warnings: [String] = []
  /// The process environment, from which the child's minimal one is made.
  let environment: [String: String]

  /// Reads flags, then the environment, then `.env.local` and `.env` in `directory`.
  ///
  /// An empty variable counts as absent. Throws on the first value that is not allowed.
  public static func load(
    flags: [String: String] = [:],
    environment: [String: String] = processEnvironment,
    directory: String = "."
  ) throws(ConfigurationError) -> Configuration {
    let names = Set(Settings.all.map(\.name))
    for name in flags.keys where !names.contains(name) {
      throw ConfigurationError(description: "--set \(name): there is no such setting\(hint(for: name))")
    }
    var sources = [Source(.flag, flags), Source(.environment, environment)]
    var faults: [String] = []
    for origin in [Origin.envLocalFile, .envFile] {
      let file = try dotEnv("\(directory)/\(origin.rawValue)")
      sources.append(Source(origin, file.values))
      // Never what stands there: it may be a secret whose name was forgotten.
      faults += file.faults.map {
        "\(origin.rawValue), line \($0.line): \($0.reason.rawValue); the line is ignored"
      }
    }
    var result = try Configuration(sources: sources, environment: environment)
    result.warnings = faults + result.warnings
    return result
  }

  /// Merges `sources`; earlier ones win.
  init(sources: [Source], environment: [String: String] = [:]) throws(ConfigurationError) {
    self.environment = environment
    for setting in Settings.all {
      let source = sources.first { !($0.values[setting.name] ?? "").isEmpty }
      guard let source, let text = source.values[setting.name] else {
        origins[setting.name] = .fallback
        continue
      }
      guard let value = setting.read(text.trimmingSpaces()) else {
        let shown = setting.isSecret ? "…" : "“\(text.printable)”"
        throw ConfigurationError(
          description: "\(setting.name)=\(shown) (from \(source.origin.rawValue)): expected \(setting.allowed)")
      }
      values[setting.name] = value
      texts[setting.name] = text
      origins[setting.name] = source.origin
    }
    warnings = Self.misspellings(in: sources)
  }

  /// The value of a setting.
  subscript<Value>(_ setting: Setting<Value>) -> Value {
    values[setting.name] as? Value ?? setting.fallback
  }

  /// The value of a setting as text for people; secrets are masked.
  public func shown(_ setting: any AnySetting) -> String {
    let text = texts[setting.name] ?? setting.fallbackText
    return setting.isSecret && !text.isEmpty ? "********" : text
  }

  /// Where the value of a setting came from.
  public func origin(of setting: any AnySetting) -> Origin {
    origins[setting.name] ?? .fallback
  }

  /// The directory Codex works in, absolute.
  var workingDirectory: String { FileContents.resolved(self[Settings.workingDirectory] ?? ".") }

  /// The environment of this process.
  public static var processEnvironment: [String: String] {
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

  private static func dotEnv(_ path: String) throws(ConfigurationError) -> DotEnv {
    switch FileContents.read(path, limit: 1 << 20) {
    case .bytes(let bytes): return DotEnv(bytes)
    case .missing: return DotEnv([])
    case .tooLarge: throw ConfigurationError(description: "\(path): too large")
    case .failed(let reason): throw ConfigurationError(description: "\(path): \(reason)")
    }
  }

  /// Names that nobody but the bridge uses.
  private static let ownPrefix = "CODEX_BRIDGE_"
  private static let commonPrefix = "CODEX_"
  /// Variables of Codex that look like settings of the bridge.
  private static let namesOfCodex: Set<String> = ["CODEX_API_KEY", "CODEX_SESSION_ID"]

  private static func misspellings(in sources: [Source]) -> [String] {
    let known = Set(Settings.all.map(\.name)).union(namesOfCodex)
    let strangers = Set(sources.flatMap(\.values.keys)).filter {
      $0.hasPrefix(commonPrefix) && !known.contains($0)
    }
    return strangers.sorted().compactMap { name in
      let hint = hint(for: name)
      return hint.isEmpty && !name.hasPrefix(ownPrefix) ? nil : "\(name) is not a setting\(hint)"
    }
  }

  private static func hint(for name: String) -> String {
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
    // Where every name is ours, one word in common is enough.
    let words = knownStem.split(separator: "_")
    return name.hasPrefix(ownPrefix) && known.hasPrefix(ownPrefix)
      && stem.split(separator: "_").contains { word in
        words.contains { editDistance(String(word), String($0)) <= 1 }
      }
  }

  /// What is particular to a name.
  private static func stem(of name: String) -> Substring {
    name.dropFirst([ownPrefix, commonPrefix].first { name.hasPrefix($0) }?.count ?? 0)
  }

  /// Levenshtein distance: insertions, deletions and replacements that turn one name into the other.
  private static func editDistance(_ left: String, _ right: String) -> Int {
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
