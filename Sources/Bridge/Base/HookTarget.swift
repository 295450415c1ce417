// Where questions of Codex are told of outside of the bridge, and under which address people come back to it: what the
// settings say.

/// Who is told of questions.
struct HookTarget: Sendable, Equatable {
  enum Form: Sendable, Equatable {
    /// A program that takes the bridge's own JSON.
    case json
    /// A topic of ntfy, whose server takes JSON at its root (ntfy documentation, "Publish as JSON").
    case ntfy(topic: String)
  }

  private static let ntfyPrefix = "ntfy+"
  private static let maxBytes = 2048

  let form: Form
  /// Where to post: an absolute http(s) URL in printable ASCII, without credentials and fragment.
  let url: String

  /// Reads `http(s)://…` or `ntfy+http(s)://SERVER/TOPIC`; nil if the text is neither.
  init?(_ text: String) {
    let isNtfy = text.lowercased().hasPrefix(Self.ntfyPrefix)
    let address = String(isNtfy ? text.dropFirst(Self.ntfyPrefix.utf8.count) : text[...])
    guard address.utf8.count <= Self.maxBytes, let parts = WebAddress(address), !address.contains("#") else {
      return nil
    }
    guard isNtfy else {
      (form, url) = (.json, address)
      return
    }
    // What a topic may be called, by ntfy's own rule.
    guard let end = parts.path.wholeMatch(of: /(.*\/)([-_A-Za-z0-9]{1,64})/) else { return nil }
    (form, url) = (.ntfy(topic: String(end.2)), parts.origin + String(end.1))
  }
}

/// An absolute http(s) URL, as far as the bridge looks into it.
struct WebAddress: Sendable {
  /// Scheme, host and port.
  let origin: String
  /// The host with its port.
  let authority: String
  /// All that follows the origin.
  let path: String

  /// Nil for whatever else, and for a URL with credentials: they do not belong where addresses are shown.
  init?(_ text: String) {
    let form = /((?i:https?):\/\/((?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~\-]+)(?::[0-9]{1,5})?))((?:[\/?#][!-~]*)?)/
    guard let match = text.wholeMatch(of: form), !match.3.contains(where: { "\"\\<>^`{|}".contains($0) }) else {
      return nil
    }
    (origin, authority, path) = (String(match.1), String(match.2), String(match.3))
  }
}

extension SettingSyntax<HookTarget?> {
  static var hook: Self {
    Self(
      allowed: "an http or https address, or ntfy+https://SERVER/TOPIC",
      parse: { text in text.isEmpty ? .some(nil) : HookTarget(text).map { .some($0) } },
      text: { _ in "" })
  }
}

extension SettingSyntax<String?> {
  /// The address of a place with nothing behind it but a path; slashes at its end are left out.
  static var baseURL: Self {
    Self(
      allowed: "an http or https address, without a query",
      parse: { text in
        if text.isEmpty { return .some(nil) }
        guard let address = WebAddress(text), !address.path.contains(where: { "?#".contains($0) }) else {
          return nil
        }
        let end = address.path.lastIndex { $0 != "/" }.map { address.path.index(after: $0) }
        return .some(address.origin + address.path[..<(end ?? address.path.startIndex)])
      },
      text: { $0 ?? "" })
  }

  /// What can stand in a field of a request.
  static var printableASCII: Self {
    Self(
      allowed: "up to 512 printable ASCII characters without blanks",
      parse: { text in
        guard text.utf8.count <= 512, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return .some(text.isEmpty ? nil : text)
      },
      text: { $0 ?? "" })
  }
}
