// Who asks: keys out of headers, compared in constant time.

/// Checks API keys.
struct Authenticator: Sendable {
  private let keys: [(bytes: [UInt8], holder: Principal)]

  init(keys: [String]) {
    self.keys = keys.enumerated().map { index, key in
      // Two keys must never be one holder; a position in the list at least tells them apart until the next start.
      (Array(key.utf8), Principal(key: key) ?? Principal(name: "key-\(index)"))
    }
  }

  /// The holders of the keys.
  var principals: [Principal] { keys.map(\.holder) }

  /// Who takes over what nobody owns: whoever uses the key that everybody knows, else the holder of the first key.
  var defaultOwner: Principal {
    principals.contains(.everybody) ? .everybody : principals.first ?? .everybody
  }

  /// Accepts `Authorization: Bearer KEY` (the scheme in any case), `api-key` and `x-api-key`.
  /// Returns whose key it is.
  func identify(_ fields: HeaderFields) -> Principal? {
    guard let key = Self.presentedKey(fields) else { return nil }
    let presented = fields.bytes.span.extracting(key)
    // Every key is compared, so that the time does not tell which one was close.
    var holder: Principal?
    for key in keys where Self.isEqual(key.bytes.span, presented) { holder = key.holder }
    return holder
  }

  /// Where in the fields the key is.
  static func presentedKey(_ fields: HeaderFields) -> Range<Int>? {
    if let credentials = fields.range(of: "authorization") {
      // RFC 6750 §2.1, and more spaces than one.
      let text = fields.bytes.span.extracting(..<credentials.upperBound)
      if text.extracting(credentials).hasPrefix(inAnyCase: "bearer ") {
        return text.end(of: HeadSyntax.isBlank, from: credentials.lowerBound + 7)..<text.count
      }
    }
    return fields.range(of: "api-key") ?? fields.range(of: "x-api-key")
  }

  /// Takes as long for a wrong key as for a right one of the same length.
  static func isEqual(_ key: Span<UInt8>, _ presented: Span<UInt8>) -> Bool {
    guard !key.isEmpty else { return false }
    var difference = key.count ^ presented.count
    for index in presented.indices {
      difference |= Int(key[index % key.count] ^ presented[index])
    }
    return difference == 0
  }
}
