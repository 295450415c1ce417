// What stops a start, and what is said about it.

import Testing

@testable import Bridge

struct StartChecksTests {
  private func refusal(_ settings: [String: String]) throws -> String? {
    let configuration = try Configuration(sources: [.init(.flag, settings)])
    do throws(ConfigurationError) {
      try StartChecks.run(configuration)
      return nil
    } catch {
      return error.description
    }
  }

  @Test(arguments: ["127.0.0.1", "::1", "localhost", "127.0.0.1,::1"])
  func theDefaultKeyMayBeUsedOnLoopback(_ host: String) throws {
    #expect(try refusal(["HOST": host]) == nil)
  }

  @Test(arguments: ["0.0.0.0", "::", "127.0.0.1,0.0.0.0"])
  func theDefaultKeyMayNotBeUsedBeyond(_ host: String) throws {
    #expect(try refusal(["HOST": host])?.contains("CODEX_BRIDGE_API_KEY") == true)
    #expect(try refusal(["HOST": host, "CODEX_BRIDGE_API_KEY": "own"]) == nil)
  }

  @Test func aHostThatIsNoneIsNotCalledReachable() throws {
    let refusal = try #require(try refusal(["HOST": "999.1.1.1"]))
    #expect(refusal.hasPrefix("HOST=999.1.1.1: cannot resolve"))
  }

  /// What is not UTF-8 has been replaced by then, and two keys could have become one.
  @Test func keysThatAreNotUTF8AreRefused() throws {
    #expect(try refusal(["CODEX_BRIDGE_API_KEY": "m\u{FFFD}ller"]) == "CODEX_BRIDGE_API_KEY is not UTF-8")
    #expect(try refusal(["CODEX_BRIDGE_API_KEY": "müller"]) == nil)
  }
}
