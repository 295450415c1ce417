// Tokens as Open WebUI makes them, and wrong ones.

@testable import Bridge

/// A token in the making.
struct UserToken {
  static let secret = "a secret that both have"

  var header = #"{"alg":"HS256","typ":"JWT"}"#
  var claims: String
  var secret = Self.secret

  init(claims: String) { self.claims = claims }

  /// What Open WebUI says of a user; `now` in seconds since 1970.
  init(user: String, at now: Int = unixTime()) {
    claims = """
      {"sub":\(JSONValue.string(user).jsonText),"email":"\(user)@example.com","name":"Ann","role":"user",\
      "iss":"open-webui","iat":\(now),"exp":\(now + 300)}
      """
  }

  /// In the compact form.
  var text: String {
    let signed = "\(Self.base64URL(Array(header.utf8))).\(Self.base64URL(Array(claims.utf8)))"
    let code = SHA256Digest(authenticating: signed.utf8.span, with: secret.utf8.span)
    return "\(signed).\(Self.base64URL(code.bytes))"
  }

  /// RFC 4648 §5, without padding.
  static func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    var text = ""
    var index = 0
    while index < bytes.count {
      let group = bytes[index..<min(index + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for place in 0...group.count { text.append(alphabet[bits >> (18 - 6 * place) & 63]) }
      index += 3
    }
    return text
  }
}
