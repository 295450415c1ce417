// Who asks: keys out of headers, compared in constant time.

/// Checks API keys.
struct Authenticator: Sendable {
  private let keys: [[UInt8]]

  init(keys: [String]) { self.keys = keys.map { Array($0.utf8) } }

  /// Accepts `Authorization: Bearer KEY` (the scheme in any case), `api-key` and `x-api-key`.
  func admits(_ fields: HeaderFields) -> Bool {
    guard let presented = Self.presentedKey(fields) else { return false }
    let bytes = Array(presented.utf8)
    // Every key is compared, so that the time does not tell which one was close.
    var isKnown = false
    for key in keys where Self.isEqual(key, bytes) { isKnown = true }
    return isKnown
  }

  static func presentedKey(_ fields: HeaderFields) -> String? {
    if let authorization = fields["authorization"] {
      let parts = authorization.split(separator: " ", maxSplits: 1)
      if parts.count == 2, parts[0].lowercased() == "bearer" { return parts[1].trimmingSpaces() }
    }
    return fields["api-key"] ?? fields["x-api-key"]
  }

  /// Takes as long for a wrong key as for a right one of the same length.
  static func isEqual(_ key: [UInt8], _ presented: [UInt8]) -> Bool {
    guard !key.isEmpty else { return false }
    var difference = key.count ^ presented.count
    for index in presented.indices {
      difference |= Int(key[index % key.count] ^ presented[index])
    }
    return difference == 0
  }
}
