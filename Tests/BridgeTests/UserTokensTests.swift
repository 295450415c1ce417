// Which tokens name a user: the standard's own example, those of Open WebUI, and everything that must not pass for one.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct UserTokensTests {
  private let tokens = UserTokens(secret: Array(UserToken.secret.utf8))
  private let now = 1_800_000_000

  private func user(_ token: String, at time: Int? = nil) throws(UserTokenFault) -> String {
    try tokens.user(of: token.utf8.span, now: time ?? now)
  }

  private func fault(_ token: String, at time: Int? = nil) -> UserTokenFault? {
    do throws(UserTokenFault) {
      _ = try user(token, at: time)
      return nil
    } catch {
      return error
    }
  }

  @Test func believesOpenWebUI() throws {
    #expect(try user(UserToken(user: "7d1c4c2e-user", at: now).text) == "7d1c4c2e-user")
    #expect(try user(UserToken(user: "é:%/", at: now).text) == "é:%/")
  }

  /// RFC 7515, A.1. Its signature is right: what is found wrong comes after.
  @Test func knowsTheExampleOfTheStandard() throws {
    let text = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    let key = Base64.decodeURL(text.utf8.span) ?? []
    try #require(key.count == 64)
    let token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      + "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    let example = UserTokens(secret: key)
    #expect(throws: UserTokenFault.foreign) { try example.user(of: token.utf8.span, now: 1_300_819_379) }
    #expect(throws: UserTokenFault.expired) { try example.user(of: token.utf8.span, now: 1_300_819_440) }
    #expect(throws: UserTokenFault.wrongSignature) { try tokens.user(of: token.utf8.span, now: 1_300_819_379) }
  }

  /// RFC 4231, test cases 1, 2 and 6: a short key, a shorter one, and one that is longer than a block.
  @Test(arguments: [
    (
      [UInt8](repeating: 0x0B, count: 20), "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
  ])
  func authenticatesAsTheStandardDoes(_ key: [UInt8], _ message: String, _ code: String) {
    #expect(SHA256Digest(authenticating: message.utf8.span, with: key.span).hex == code)
  }

  @Test func aTokenHasItsTime() throws {
    let token = UserToken(user: "u", at: now).text
    for time in [-60, 0, 300, 359] { #expect(try user(token, at: now + time) == "u", "\(time)") }
    for time in [360, 361, 100_000] { #expect(fault(token, at: now + time) == .expired, "\(time)") }
    for time in [-61, -100_000] { #expect(fault(token, at: now + time) == .notYetValid, "\(time)") }
    let later = UserToken(claims: #"{"sub":"u","iss":"open-webui","exp":\#(now + 300),"nbf":\#(now + 61)}"#)
    #expect(fault(later.text) == .notYetValid)
    let fractions = UserToken(claims: #"{"sub":"u","iss":"open-webui","exp":\#(now).5,"iat":\#(now - 1).25}"#)
    #expect(try user(fractions.text) == "u")
  }

  @Test(arguments: [
    #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS512"}"#, #"{"alg":"RS256"}"#,
    #"{"typ":"JWT"}"#, #"{"alg":["HS256"]}"#, #"{"alg":"HS256","crit":["exp"]}"#,
  ])
  func theTokenDoesNotChooseHowItIsChecked(_ header: String) {
    var token = UserToken(user: "u", at: now)
    token.header = header
    #expect(fault(token.text) == .wrongAlgorithm)
    let parts = token.text.split(separator: ".")
    #expect(fault("\(parts[0]).\(parts[1]).") == .wrongAlgorithm)
  }

  @Test func anotherSecretIsNoSecret() {
    for secret in ["", "a secret that both hav", "a secret that both have ", "A secret that both have"] {
      var token = UserToken(user: "u", at: now)
      token.secret = secret
      #expect(fault(token.text) == .wrongSignature, "\(secret)")
    }
  }

  /// Wherever it is cut, and whatever letter is changed.
  @Test func noPartOfATokenIsOne() {
    let token = UserToken(user: "u", at: now).text
    for length in 0..<token.utf8.count { #expect(fault(String(token.prefix(length))) != nil, "\(length)") }
    for place in token.indices {
      let other = token.replacingCharacters(at: place, with: token[place] == "A" ? "B" : "A")
      #expect(fault(other) != nil, "\(other)")
    }
  }

  @Test func oddFormsAreNoTokens() {
    let token = UserToken(user: "u", at: now).text
    let parts = token.split(separator: ".").map(String.init)
    for odd in [
      "", ".", "..", "...", "a.b", " " + token, token + " ", token + ".", token + "=", "Bearer " + token,
      token.replacing(".", with: "%2E"), "\(parts[0]) .\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[2])",
      "é.\(parts[1]).\(parts[2])", "\(UserToken.base64URL(Array("[]".utf8))).\(parts[1]).\(parts[2])",
    ] {
      #expect(fault(odd) == .malformed, "\(odd)")
    }
    for claims in ["[]", "null", "{", "\"u\"", "", #"{"sub":"u","sub":"v"}"#] {
      #expect(fault(UserToken(claims: claims).text) == .malformed, "\(claims)")
    }
  }

  @Test func aTokenThatIsTooLongIsNotLookedAt() throws {
    let long = { (count: Int) in
      UserToken(
        claims:
          #"{"sub":"u","iss":"open-webui","exp":\#(now + 300),"x":"\#(String(repeating: "x", count: count))"}"#
      ).text
    }
    #expect(try user(long(2900)) == "u")
    #expect(fault(long(3100)) == .malformed)
  }

  @Test func whatIsNotSaidIsNotBelieved() {
    let whole = #""iss":"open-webui","exp":\#(now + 300)"#
    for (claims, expected) in [
      (#"{"iss":"open-webui","sub":"u"}"#, UserTokenFault.malformed),
      (#"{"iss":"open-webui","sub":"u","exp":"\#(now + 300)"}"#, .malformed),
      (#"{"sub":"u","iat":"now",\#(whole)}"#, .malformed),
      (#"{"sub":"u","exp":\#(now + 300)}"#, .foreign),
      (#"{"sub":"u","iss":"open-webui2","exp":\#(now + 300)}"#, .foreign),
      (#"{"sub":"u","iss":["open-webui"],"exp":\#(now + 300)}"#, .foreign),
      (#"{\#(whole)}"#, .nobody), (#"{"sub":"",\#(whole)}"#, .nobody), (#"{"sub":5,\#(whole)}"#, .nobody),
      (#"{"sub":"a\nb",\#(whole)}"#, .nobody),
      (#"{"sub":"\#(String(repeating: "u", count: 129))",\#(whole)}"#, .nobody),
    ] {
      #expect(fault(UserToken(claims: claims).text) == expected, "\(claims)")
    }
  }
}

extension String {
  fileprivate func replacingCharacters(at place: Index, with other: Character) -> String {
    var copy = self
    copy.replaceSubrange(place...place, with: [other])
    return copy
  }
}
