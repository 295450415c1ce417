// Who sits in front of a program that has one key for many people: what the program says of them, signed with a shared secret.

/// Why what is said of a user counts for nothing.
enum UserTokenFault: Error, Equatable, CustomStringConvertible {
  /// It does not have the form of a token, or is too long.
  case malformed
  case wrongAlgorithm
  case wrongSignature
  case expired
  case notYetValid
  /// It was not made by Open WebUI.
  case foreign
  /// It names nobody, or in a way that no id can hold.
  case nobody

  /// Goes on from "the token".
  var description: String {
    switch self {
    case .malformed: "is not a signed token"
    case .wrongAlgorithm: "is not signed by HS256"
    case .wrongSignature: "is not signed with the secret of this bridge"
    case .expired: "has expired"
    case .notYetValid: "is not valid yet; compare the clocks of both machines"
    case .foreign: "was not issued by Open WebUI"
    case .nobody: "names no user"
    }
  }
}

/// Verifies the tokens in which Open WebUI names its users: JSON Web Tokens (RFC 7519) in the compact form, signed by HMAC-SHA-256
/// ("HS256", RFC 7518 §3.2).
struct UserTokens: Sendable {
  /// Those of Open WebUI have some four hundred bytes. Longer ones are not looked at.
  private static let maxBytes = 4096
  /// A longer name of a user is none: it becomes part of session ids. Open WebUI's have 36 bytes.
  private static let maxUserBytes = 128
  /// Seconds by which the clocks of the two machines may differ.
  private static let leeway = 60.0
  private static let issuer: JSONValue = "open-webui"

  private let secret: [UInt8]

  init(secret: [UInt8]) { self.secret = secret }

  /// The id of the user whom a token names. `now` in seconds since 1970.
  func user(of token: Span<UInt8>, now: Int) throws(UserTokenFault) -> String {
    let dot = UInt8(ascii: ".")
    guard token.count <= Self.maxBytes, let first = token.firstIndex(of: dot),
      let second = token.firstIndex(of: dot, from: first + 1),
      let header = Self.object(token.extracting(..<first)),
      let signature = Base64.decodeURL(token.extracting((second + 1)...))
    else { throw .malformed }
    // Whoever makes a token must not choose how it is checked; what "crit" names would have to be understood.
    guard header["alg"] == "HS256", header["crit"] == nil else { throw .wrongAlgorithm }
    let expected = SHA256Digest(authenticating: token.extracting(..<second), with: secret.span)
    guard Authenticator.isEqual(expected.bytes.span, signature.span) else { throw .wrongSignature }
    guard let claims = Self.object(token.extracting((first + 1)..<second)) else { throw .malformed }
    try Self.checkTimes(claims, now: Double(now))
    guard claims["iss"] == Self.issuer else { throw .foreign }
    return try Self.user(claims)
  }

  private static func object(_ part: Span<UInt8>) -> JSONValue? {
    guard let bytes = Base64.decodeURL(part), let value = try? JSONValue(parsing: bytes), value.objectValue != nil
    else { return nil }
    return value
  }

  /// One that does not expire would let whoever once saw it be its user for ever.
  private static func checkTimes(_ claims: JSONValue, now: Double) throws(UserTokenFault) {
    guard let expiry = claims["exp"]?.doubleValue else { throw .malformed }
    guard now < expiry + leeway else { throw .expired }
    for name in ["nbf", "iat"] {
      guard let claim = claims[name] else { continue }
      guard let begin = claim.doubleValue else { throw .malformed }
      guard now + leeway >= begin else { throw .notYetValid }
    }
  }

  private static func user(_ claims: JSONValue) throws(UserTokenFault) -> String {
    guard let user = claims["sub"]?.stringValue, !user.isEmpty, user.utf8.count <= maxUserBytes,
      user.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else { throw .nobody }
    return user
  }
}
