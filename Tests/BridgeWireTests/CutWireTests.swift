// However the bytes of a request are cut on their way, its answer is the same.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct CutWireTests {
  private static let close = "Connection: close\r\n"

  static let requests = [
    "GET /get?a=b HTTP/1.1\r\nHost: localhost\r\nX-A:  b \r\n\(close)\r\n",
    "POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\(close)\r\nhello world",
    "POST /chunks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\(close)\r\n"
      + "5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nX-T: u\r\n\r\n",
    "\r\nPOST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc\r\n"
      + "GET /2 HTTP/1.1\r\nHost: localhost\r\n\(close)\r\n",
    "POST /expect HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\(close)\r\nhello",
    "GET /bad HTTP/1.1\r\nHost: localhost\r\nX-A : b\r\n\r\nGET /next HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /badchunk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
  ]

  @Test(arguments: requests) @LoopActor
  func aRequestMayBeCutAnywhere(_ request: String) async throws {
    let server = try TestServer { request, writer in
      do throws(HTTPError) {
        let body = try await request.collectBody()
        let start = "\(request.head.method) \(request.head.path) \(request.head.query ?? "-") "
        writer.send(Response(body: Array(start.utf8) + body))
      } catch {
        writer.send(APIError(error).response)
      }
    }
    try await expectSameAnswers(request, port: server.port)
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func aChatRequestMayBeCutAnywhere() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["one ", "two"])
      let fields = ["Connection: close", "X-Request-Id: same"]
      try await expectSameAnswers(GatewayServer.chat("é\n\"", stream: true, fields: fields), port: server.port)
      let further = GatewayServer.chat("é\n\"", more: #","session_id":"s""#, fields: fields)
      // The first answer of a session tells that it is the first.
      _ = try await server.exchange(further)
      try await expectSameAnswers(further, port: server.port)
    }
  }

  @LoopActor
  private func expectSameAnswers(_ request: String, port: Int) async throws {
    var expected: String?
    for index in 0...request.utf8.count {
      let client = try await TestClient.connect(port: port)
      await client.send(request, cutAt: index)
      await client.waitForEnd()
      client.close()
      let answer = Self.masked(client.text)
      #expect(!answer.isEmpty)
      #expect(answer == expected ?? answer, "cut at \(index)")
      expected = expected ?? answer
    }
  }

  /// Without what differs from one answer to the next, and without the interim response: RFC 9110 §10.1.1 lets a
  /// server that has some of the body leave it out.
  private static func masked(_ text: String) -> String {
    text.replacing("HTTP/1.1 100 Continue\r\n\r\n", with: "")
      .replacing(/Date: [^\r]*/, with: "Date: -")
      .replacing(/req-[0-9a-z]{11}/, with: "req-")
      .replacing(/chatcmpl-[0-9a-z]{24}/, with: "chatcmpl-")
      .replacing(/"created":[0-9]+/, with: "\"created\":0")
  }
}
