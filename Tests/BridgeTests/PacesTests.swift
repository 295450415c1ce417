// How a test of the whole program changes what is no setting.

import Testing

@testable import Bridge

struct PacesTests {
  private func refusal(_ text: String) -> String? {
    do throws(ConfigurationError) {
      _ = try Paces.read(text)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func whatIsNotNamedKeepsItsDefault() throws {
    #expect(try Paces.read("") == Paces())
    #expect(
      try Paces.read("keep-alive=200ms, content-limit=8kb")
        == Paces(keepAlive: .milliseconds(200), contentBytes: 8 << 10))
  }

  @Test func eachOfThemCanBeRead() throws {
    let text =
      "keep-alive=1s,start-wait=0,queue-notice=20ms,image-timeout=10m,content-limit=200kb,warm-threads=1"
    let paces = Paces(
      keepAlive: .seconds(1), startWait: .zero, queueNotice: .milliseconds(20), imageTimeout: .seconds(600),
      contentBytes: 200 << 10, warmThreads: 1)
    #expect(try Paces.read(text) == paces)
  }

  @Test(arguments: [
    "keep-alive", "keep-alive=", "keep-alive=soon", "keep-alive=0", "=1s", "keepalive=1s", "warm-threads=65",
    "start-wait=1s,unknown=1", "start-wait=1s keep-alive=1s",
  ])
  func aSpellingThatSaysNothingIsRefused(_ text: String) throws {
    let line = try #require(refusal(text))
    #expect(line.hasPrefix("BRIDGED_TEST_PACES: "))
    #expect(!line.contains("\n"))
  }

  @Test func theEnvironmentIsItsOnlyPlace() throws {
    let place = try SettingsPlace()
    let configuration = try place.load(environment: ["BRIDGED_TEST_PACES": "keep-alive=1s"])
    #expect(configuration.paces == Paces(keepAlive: .seconds(1)))
    #expect(configuration.warnings == ["BRIDGED_TEST_PACES is set, which only tests should do"])
    #expect(throws: ConfigurationError.self) { try place.load(environment: ["BRIDGED_TEST_PACES": "a=b"]) }
    #expect(throws: ConfigurationError.self) { try place.load(flags: ["BRIDGED_TEST_PACES": "keep-alive=1s"]) }
    try place.directory.write("PORT=7\nBRIDGED_TEST_PACES=keep-alive=1s", to: ".env")
    try place.trust(".env")
    let other = try place.load()
    #expect(other[Settings.port] == 7)
    #expect(other.paces == Paces())
  }
}
