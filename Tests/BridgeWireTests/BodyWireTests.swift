// Request bodies: lengths, chunks, limits, Expect: 100-continue, bodies that nobody reads. Streamed answers.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct BodyWireTests {
  private static let interim = "HTTP/1.1 100 Continue\r\n\r\n"

  /// Runs `body` against a server that answers `/echo` with its body, and anything else without reading it.
  @LoopActor
  private func withServer(
    maxBodyBytes: Int = 1000,
    _ body: @LoopActor (TestServer, TestClient) async throws -> Void
  ) async throws {
    let server = try TestServer(maxBodyBytes: maxBodyBytes) { request, writer in
      guard request.head.path.hasPrefix("/echo") else {
        return writer.send(Response(status: request.head.path == "/401" ? 401 : 200, body: Array("unread".utf8)))
      }
      do throws(HTTPError) {
        writer.send(Response(body: try await request.collectBody()))
      } catch {
        writer.send(APIError(error).response)
      }
    }
    let client = try await TestClient.connect(port: server.port)
    do {
      try await body(server, client)
      client.close()
    } catch {
      client.close()
      server.stop()
      throw error
    }
    await server.stopWhenLeft()
  }

  private func post(_ path: String, _ fields: String..., body: String = "") -> String {
    "POST \(path) HTTP/1.1\r\nHost: localhost\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
  }

  private func chunked(_ body: String, path: String = "/echo") -> String {
    post(path, "Transfer-Encoding: chunked", body: body)
  }

  private let next = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"

  @Test @LoopActor
  func readsABodyByItsLength() async throws {
    try await withServer { _, client in
      client.send(post("/echo", "Content-Length: 5", body: "hello") + next)
      #expect(await client.responses(2).map(\.body) == ["hello", "unread"])
      client.send(post("/echo", "Content-Length: 0") + post("/echo"))
      #expect(await client.responses(4).map(\.body).suffix(2) == ["", ""])
    }
  }

  @Test @LoopActor
  func readsChunksWithExtensionsAndTrailers() async throws {
    try await withServer { _, client in
      client.send(
        chunked("5;a=b;c=\"d e\"\r\nhello\r\n1\r\n \r\n0A\r\nwide world\r\n0;x\r\nX-Trailer: 1\r\nX-B: 2\r\n\r\n")
          + next)
      #expect(await client.responses(2).map(\.body) == ["hello wide world", "unread"])
      client.send(post("/echo", "Transfer-Encoding: CHUNKED", body: "000005\r\nhello\r\n000\r\n\r\n") + next)
      #expect(await client.responses(4).map(\.body).suffix(2) == ["hello", "unread"])
    }
  }

  @Test @LoopActor
  func aTrailerIsNoHeaderField() async throws {
    let server = try TestServer { request, writer in
      _ = try? await request.collectBody()
      writer.send(Response(body: Array((request.head.fields["authorization"] ?? "none").utf8)))
    }
    let response = try await TestClient.exchange(
      port: server.port, chunked("0\r\nAuthorization: Bearer 123321\r\n\r\n"))
    #expect(response?.body == "none")
    await server.stopWhenLeft()
  }

  // MARK: Limits

  @Test @LoopActor
  func aBodyOfExactlyTheLimitIsTaken() async throws {
    try await withServer { _, client in
      let body = String(repeating: "a", count: 1000)
      client.send(post("/echo", "Content-Length: 1000", body: body))
      #expect(await client.responses(1).last?.body == body)
      client.send(chunked("3e8\r\n\(body)\r\n0\r\n\r\n"))
      #expect(await client.responses(2).last?.body == body)
    }
  }

  @Test @LoopActor
  func aLengthAboveTheLimitIsRefusedBeforeTheBodyArrives() async throws {
    try await withServer { _, client in
      client.send(post("/echo", "Content-Length: 1001"))
      let response = await client.responses(1).first
      #expect(response?.status == 413)
      #expect(response?.error("code") == "request_too_large")
    }
  }

  @Test @LoopActor
  func chunksAreCountedByTheirData() async throws {
    try await withServer { _, client in
      // Two thousand bytes of framing around one thousand bytes of data.
      client.send(chunked(String(repeating: "1;ab\r\na\r\n", count: 1000) + "0\r\n\r\n"))
      #expect(await client.responses(1).first?.status == 200)
    }
    try await withServer { _, client in
      client.send(
        chunked(String(repeating: "64\r\n\(String(repeating: "a", count: 100))\r\n", count: 10) + "1\r\nb\r\n"))
      #expect(await client.responses(1).first?.status == 413)
    }
  }

  @Test @LoopActor
  func aClientThatIsStillSendingReadsIts413() async throws {
    for request in [
      post("/echo", "Content-Length: 5000000"), chunked("4C4B40\r\n"),
    ] {
      try await withServer { _, client in
        client.send(request)
        for _ in 0..<80 {
          client.send([UInt8](repeating: 97, count: 62_500))
          await Loop.nextTurn()
        }
        let responses = await client.responses(1)
        #expect(responses.first?.status == 413)
        #expect(responses.first?.field("connection") == "close")
        await client.waitForEnd()
        #expect(client.hasEnded)
      }
    }
  }

  @Test @LoopActor
  func fiveMegabytesAtOnceReadTheir413() async throws {
    try await withServer { _, client in
      client.send(post("/echo", "Content-Length: 5000000", body: String(repeating: "a", count: 5_000_000)))
      #expect(await client.responses(1).first?.status == 413)
      #expect(await eventually { client.unsentBytes == 0 })
    }
  }

  @Test @LoopActor
  func aLargeBodyIsTakenWhole() async throws {
    try await withServer(maxBodyBytes: 8 << 20) { _, client in
      let body = (0..<600_000).map { String($0 % 10) }.joined()
      client.send(post("/echo", "Content-Length: 600000", body: body))
      await client.wait(forBytes: { $0.count >= 600_000 && !TestResponse.parse(bytes: $0).isEmpty })
      #expect(await client.responses(1).first?.body == body)
    }
  }

  // MARK: Bodies that nobody reads

  @Test @LoopActor
  func anUnreadBodyIsReadAwayAndTheConnectionKept() async throws {
    try await withServer { server, client in
      client.send(post("/unread", "Content-Length: 5", body: "hello") + next)
      #expect(await client.responses(2).map(\.status) == [200, 200])
      await client.send(post("/unread", "Content-Length: 5", body: "hello") + next, cutAt: 70)
      #expect(await client.responses(4).count == 4)
      #expect(server.connectionCount == 1)
    }
  }

  @Test @LoopActor
  func anUnreadBodyIsNeverTakenForARequest() async throws {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    let handled = Handled()
    let server = try TestServer { request, writer in
      handled.paths.append(request.head.path)
      writer.send(Response())
    }
    for request in [
      post("/a", "Content-Length: \(hidden.utf8.count)", body: hidden),
      chunked("\(String(hidden.utf8.count, radix: 16))\r\n\(hidden)\r\n0\r\n\r\n", path: "/a"),
      post("/a", "Content-Length: 500000", body: String(repeating: hidden, count: 500_000 / hidden.utf8.count)),
    ] {
      let client = try await TestClient.connect(port: server.port)
      client.send(request)
      #expect(await client.responses(1).first?.status == 200)
      for _ in 0..<20 { await Loop.nextTurn() }
      client.close()
    }
    #expect(handled.paths == ["/a", "/a", "/a"])
    await server.stopWhenLeft()
  }

  // MARK: Expect: 100-continue

  @Test @LoopActor
  func continuesOnlyWhenTheBodyIsWanted() async throws {
    try await withServer { _, client in
      client.send(post("/echo", "Expect: 100-continue", "Content-Length: 5"))
      await client.wait { $0.hasSuffix("\r\n\r\n") }
      #expect(client.text == Self.interim)
      client.send("hello")
      #expect(await client.responses(1).first?.body == "hello")
      client.send(next)
      #expect(await client.responses(2).count == 2)
    }
  }

  @Test @LoopActor
  func continuesOnceForAChunkedBody() async throws {
    try await withServer { _, client in
      client.send(post("/echo", "Expect: 100-Continue", "Transfer-Encoding: chunked"))
      await client.wait { $0.hasSuffix("\r\n\r\n") }
      #expect(client.text == Self.interim)
      client.send("5\r\nhello\r\n")
      for _ in 0..<4 { await Loop.nextTurn() }
      client.send("0\r\n\r\n")
      #expect(await client.responses(1).first?.body == "hello")
      #expect(client.text.split(separator: "100 Continue").count == 2)
    }
  }

  @Test @LoopActor
  func refusesFinallyWithoutContinue() async throws {
    for (request, status) in [
      (post("/401", "Expect: 100-continue", "Content-Length: 5"), 401),
      (post("/echo", "Expect: 100-continue", "Content-Length: 5000"), 413),
      (post("/401", "Expect: 100-continue", "Transfer-Encoding: chunked"), 401),
    ] {
      try await withServer { _, client in
        client.send(request)
        await client.waitForEnd()
        #expect(client.text.hasPrefix("HTTP/1.1 \(status) "))
        // Whether the client will still send its body is unknown, so the connection cannot be used again.
        #expect(TestResponse.parse(bytes: client.received).first?.field("connection") == "close")
        #expect(client.hasEnded)
      }
    }
  }

  @Test @LoopActor
  func noContinueWithoutABodyOrForHTTP10() async throws {
    try await withServer { _, client in
      client.send("GET /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")
      #expect(await client.responses(1).count == 1)
      #expect(!client.text.contains("100 Continue"))
    }
    try await withServer { _, client in
      client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      for _ in 0..<4 { await Loop.nextTurn() }
      client.send("hello")
      await client.waitForEnd()
      #expect(client.text.hasPrefix("HTTP/1.1 200 "))
      #expect(client.text.hasSuffix("hello"))
    }
  }

  // MARK: Streamed answers

  @Test @LoopActor
  func aStreamIsFramedInChunks() async throws {
    try await withStream { client in
      client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n" + next)
      let responses = await client.responses(2)
      #expect(responses.map(\.body) == ["one two three", "one two three"])
      #expect(responses.first?.chunks == ["one ", "two ", "three"])
      #expect(responses.first?.field("content-length") == nil)
      let framed = "\r\n\r\n0004\r\none \r\n0004\r\ntwo \r\n0005\r\nthree\r\n0\r\n\r\nHTTP/1.1 200 OK"
      #expect(client.text.contains(framed))
    }
  }

  @Test @LoopActor
  func aStreamToHTTP10EndsWithTheConnection() async throws {
    for fields in ["", "Connection: keep-alive\r\n"] {
      try await withStream { client in
        client.send("GET /a HTTP/1.0\r\n\(fields)\r\n")
        await client.waitForEnd()
        #expect(client.hasEnded)
        #expect(!client.text.lowercased().contains("transfer-encoding"))
        #expect(client.text.hasSuffix("Connection: close\r\n\r\none two three"))
      }
    }
  }

  @Test @LoopActor
  func aStreamToHEADIsAHeadOnly() async throws {
    try await withStream { client in
      client.send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
      await client.wait { $0.hasSuffix("\r\n\r\n") }
      for _ in 0..<10 { await Loop.nextTurn() }
      #expect(TestResponse.parse(bytes: client.received, isHead: true).count == 1)
      #expect(client.text.hasSuffix("\r\n\r\n"))
    }
  }

  @LoopActor
  private func withStream(_ body: @LoopActor (TestClient) async throws -> Void) async throws {
    let server = try TestServer { _, writer in
      writer.begin(status: 200, fields: [:])
      for text in ["one ", "two "] {
        var part = ByteBuffer()
        part.append(text)
        writer.write(part)
        await Loop.nextTurn()
        writer.write(ByteBuffer())
      }
      writer.finish { $0.append("three") }
    }
    let client = try await TestClient.connect(port: server.port)
    try await body(client)
    client.close()
    await server.stopWhenLeft()
  }
}
