// How commands find the running bridge, and what they make of its bytes.

import Testing

@testable import Bridge

struct BridgeClientTests {
  private func client(_ settings: [String: String]) throws -> BridgeClient {
    try BridgeClient(Configuration(sources: [.init(.flag, settings)]))
  }

  @Test(arguments: [
    ("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080"), ("::", "http://127.0.0.1:8080"),
    ("[::]", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080"), ("[::1]", "http://[::1]:8080"),
    ("localhost", "http://localhost:8080"), ("10.0.0.7,127.0.0.1", "http://10.0.0.7:8080"),
  ])
  func theAddressComesFromTheSettings(_ host: String, _ url: String) throws {
    #expect(try client(["HOST": host]).url == url)
  }

  @Test func settingsThatLeadNowhereAreRefused() {
    #expect(throws: CommandFailure.self) { try client(["PORT": "0"]) }
    #expect(throws: CommandFailure.self) { try client(["CODEX_BRIDGE_API_KEY": "a\u{7}b"]) }
    #expect(throws: CommandFailure.self) { try client(["CODEX_BRIDGE_API_KEY": ","]) }
  }

  @Test(arguments: [
    ("a-1", "/v1/a-1"), ("../x", "/v1/%2e%2e%2fx"), ("a b?c#d%", "/v1/a%20b%3fc%23d%25"), ("é", "/v1/%c3%a9"),
    ("\r\nX: y", "/v1/%0d%0aX%3a%20y"),
  ])
  func idsStayOneSegment(_ id: String, _ target: String) throws {
    #expect(BridgeClient.target(["v1", id]) == target)
    let path = BridgeClient.target([id])
    #expect(Router.segments(path) == [id])
  }

  @Test func parametersThatAreNotGivenAreLeftOut() {
    #expect(BridgeClient.target(["a"], ["x": nil, "y": "&="]) == "/a?y=%26%3d")
    #expect(BridgeClient.target(["a"], ["x": nil]) == "/a")
  }

  // MARK: Answers

  private func answer(_ text: String) throws -> HTTPAnswer { try HTTPAnswer(Array(text.utf8)) }

  @Test func anAnswerEndsWithItsConnection() throws {
    let whole = try answer("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\r\n\r\n}")
    #expect(whole.status == 200)
    #expect(String(decoding: whole.body, as: UTF8.self) == "{\r\n\r\n}")
    let counted = try answer("HTTP/1.0 404\r\ncontent-LENGTH:  2 \r\n\r\n{}and more")
    #expect(counted.status == 404)
    #expect(counted.body == Array("{}".utf8))
  }

  @Test(arguments: [
    "", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 x OK\r\n\r\n",
    "HTTP/1.1 99 OK\r\n\r\n",
    "HTTP/2 200\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ])
  func whatIsCutOrNoHTTPIsRefused(_ text: String) {
    #expect(throws: ExchangeFailure.malformed) { try answer(text) }
  }
}
