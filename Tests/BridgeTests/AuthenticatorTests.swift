// Keys, and the headers they come in.

import Testing

@testable import Bridge

struct AuthenticatorTests {
  private let authenticator = Authenticator(keys: ["secret", "other-key"])

  private func admits(_ lines: String) throws -> Bool {
    let head = try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\(lines.isEmpty ? "" : "\r\n")\r\n")
    return authenticator.identify(head.fields) != nil
  }

  @Test(arguments: [
    "Authorization: Bearer secret", "authorization: bearer secret", "Authorization: BEARER other-key",
    "Authorization: Bearer   secret", "api-key: secret", "X-API-Key: other-key", "Authorization: Bearer secret \t",
    "Authorization: Bearer secret\r\nX-Api-Key: wrong",
  ])
  func admitsKeys(_ lines: String) throws { #expect(try admits(lines)) }

  @Test(arguments: [
    "", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer wrong", "Authorization: secret",
    "Authorization: Basic secret", "Authorization: Bearer Secret", "Authorization: Bearer secre",
    "Authorization: Bearer secrets", "Authorization: Bearer secretsecret",
    "Authorization: Bearer secret,other-key",
    "Authorization: Bearer secret other-key", "api-key: wrong", "api-key:", "x-api-key: sécret", "Cookie: secret",
    "Authorization: Bearer wrong\r\nX-Api-Key: secret",
  ])
  func admitsNothingElse(_ lines: String) throws { #expect(try !admits(lines)) }

  @Test func tellsTheHoldersApart() throws {
    let keys = ["secret", "other-key", Settings.defaultKey]
    let holders = try keys.map { key in
      let head = try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\nApi-Key: \(key)\r\n\r\n")
      return try #require(Authenticator(keys: keys).identify(head.fields))
    }
    #expect(Set(holders).count == 3)
    #expect(holders[2] == .everybody)
    #expect(Authenticator(keys: keys).principals == holders)
    for (key, holder) in zip(keys, holders) { #expect(!holder.name.contains(key)) }
  }

  @Test func whatNobodyOwnsFallsToTheFirst() {
    let alone = Authenticator(keys: ["a", "b"])
    #expect(alone.defaultOwner == alone.principals.first)
    #expect(Authenticator(keys: ["a", Settings.defaultKey]).defaultOwner == .everybody)
  }

  @Test func namesOfHoldersStayTheSame() {
    // Kept in files: a change would take all sessions from their owners.
    #expect(Principal(key: "secret")?.name == "DRScFuZhUhlJrYtR")
    #expect(Principal(key: String(repeating: "k", count: 300)) != nil)
  }

  private func isEqual(_ key: [UInt8], _ presented: [UInt8]) -> Bool {
    Authenticator.isEqual(key.span, presented.span)
  }

  @Test func anEmptyKeyOpensNothing() {
    #expect(!isEqual([], []))
    #expect(!isEqual([], [1]))
    #expect(!isEqual([1], []))
  }

  @Test func comparesEveryByte() {
    let key: [UInt8] = [1, 2, 3]
    #expect(isEqual(key, key))
    for index in key.indices {
      var other = key
      other[index] ^= 0x80
      #expect(!isEqual(key, other))
    }
    #expect(!isEqual(key, key + key))
    #expect(!isEqual(key + key, key))
    #expect(!isEqual(key, [1, 2]))
  }
}
