// Names of the client's functions as Codex takes them, and back. Pure.

/// Codex takes names of ASCII letters, digits, `_` and `-`, 128 at most, and keeps those that look like its own names of tools of
/// MCP servers for itself; clients have others.
struct ToolNames: Sendable {
  /// The namespace in which the client's functions stand, so that none of them meets one of Codex's own.
  static let namespace = "client"

  private static let maxBytes = 128
  /// How names begin that Codex keeps for itself.
  private static let reservedPrefix = "mcp__"
  /// What stands before such a name in an alias.
  private static let prefix = "client_"
  /// Digits of the hash that tells names apart which look the same to Codex.
  private static let hashDigits = 12

  /// The client's names by those that Codex knows, where they differ.
  private var originals: [String: String] = [:]
  /// What Codex calls the functions.
  private(set) var aliases: Set<String> = []

  init(_ names: some Sequence<String>) {
    for name in names {
      if Self.isAllowed(name) {
        aliases.insert(name)
      } else {
        let alias = Self.alias(ofUnusual: name)
        aliases.insert(alias)
        originals[alias] = name
      }
    }
  }

  /// The client's name of a function that Codex calls.
  func original(_ alias: String) -> String { originals[alias] ?? alias }

  /// What Codex calls a function: the same for the same name, whatever else is offered.
  static func alias(of name: String) -> String {
    isAllowed(name) ? name : alias(ofUnusual: name)
  }

  private static func alias(ofUnusual name: String) -> String {
    let name = isReserved(name) ? prefix + name : name
    let plain = name.utf8.prefix(maxBytes - hashDigits - 1).map { isAllowed($0) ? $0 : UInt8(ascii: "_") }
    return String(decoding: plain, as: UTF8.self) + "_" + SHA256Digest(of: name).hex.prefix(hashDigits)
  }

  private static func isAllowed(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= maxBytes && name.utf8.allSatisfy(isAllowed) && !isReserved(name)
  }

  private static func isReserved(_ name: String) -> Bool { name == "mcp" || name.hasPrefix(reservedPrefix) }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
