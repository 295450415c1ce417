// The life of a connection: keep-alive, pipelining, versions, HEAD, time limits, half-close.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ConnectionWireTests {
  /// Runs `body` against a server that answers every request with its path, `/slow…` later than the others.
  @LoopActor
  private func withEcho(
    limits: ConnectionState.Limits = .init(),
    _ body: @LoopActor (TestServer, TestClient) async throws -> Void
  ) async throws {
    let server = try TestServer(limits: limits) { request, writer in
      if request.head.path.hasPrefix("/slow") { await Loop.sleep(.milliseconds(30)) }
      if request.head.path == "/204" { return writer.send(Response(status: 204)) }
      writer.send(Response(body: Array(request.head.path.utf8)))
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

  private func get(_ path: String, version: String = "1.1", _ fields: String...) -> String {
    "GET \(path) HTTP/\(version)\r\nHost: localhost\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test @LoopActor
  func keepsTheConnectionForTheNextRequest() async throws {
    try await withEcho { server, client in
      for number in 1...5 {
        client.send(get("/\(number)"))
        #expect(await client.responses(number).last?.body == "/\(number)")
      }
      #expect(server.connectionCount == 1)
      #expect(!client.hasEnded)
    }
  }

  @Test @LoopActor
  func answersPipelinedRequestsInOrderAlsoWhenTheFirstIsSlow() async throws {
    try await withEcho { _, client in
      client.send(get("/slow") + get("/b") + get("/slower") + get("/c"))
      #expect(await client.responses(4).map(\.body) == ["/slow", "/b", "/slower", "/c"])
    }
  }

  @Test @LoopActor
  func answersHundredsOfPipelinedRequests() async throws {
    try await withEcho { _, client in
      // More than what is kept of following requests while one is handled.
      let paths = (0..<3000).map { "/p\($0)" }
      client.send(paths.map { get($0) }.joined())
      await client.wait(forBytes: { $0.suffix(5) == Array("p2999".utf8)[...] })
      let isWhole = TestResponse.parse(bytes: client.received).map(\.body) == paths
      #expect(isWhole)
    }
  }

  @Test @LoopActor
  func ignoresOneEmptyLineBeforeARequest() async throws {
    try await withEcho { _, client in
      client.send("\r\n" + get("/a") + "\r\n" + get("/b"))
      #expect(await client.responses(2).map(\.body) == ["/a", "/b"])
    }
  }

  @Test @LoopActor
  func closesWhenTheClientAsksForIt() async throws {
    for field in ["Connection: close", "connection: CLOSE", "Connection: x, close"] {
      try await withEcho { _, client in
        client.send(get("/a", field) + get("/b"))
        await client.waitForEnd()
        let responses = TestResponse.parse(bytes: client.received)
        #expect(responses.map(\.body) == ["/a"])
        #expect(responses.first?.field("connection") == "close")
        #expect(client.hasEnded)
      }
    }
  }

  @Test @LoopActor
  func closesAfterAnHTTP10Request() async throws {
    try await withEcho { _, client in
      client.send("GET /a HTTP/1.0\r\n\r\n")
      await client.waitForEnd()
      #expect(TestResponse.parse(bytes: client.received).map(\.body) == ["/a"])
      #expect(client.hasEnded)
    }
  }

  @Test @LoopActor
  func keepsAnHTTP10ConnectionThatAsksForIt() async throws {
    try await withEcho { _, client in
      client.send(get("/a", version: "1.0", "Connection: keep-alive"))
      let first = await client.responses(1).first
      #expect(first?.field("connection")?.lowercased() == "keep-alive")
      client.send(get("/b", version: "1.0", "Connection: Keep-Alive"))
      #expect(await client.responses(2).map(\.body) == ["/a", "/b"])
      #expect(!client.hasEnded)
    }
  }

  @Test @LoopActor
  func acceptsAnAbsoluteTarget() async throws {
    try await withEcho { _, client in
      client.send("GET http://localhost/a?b=c HTTP/1.1\r\nHost: other\r\n\r\n")
      #expect(await client.responses(1).first?.body == "/a")
    }
  }

  @Test @LoopActor
  func answersHEADWithTheLengthAndNoBody() async throws {
    try await withEcho { _, client in
      client.send("HEAD /abc HTTP/1.1\r\nHost: localhost\r\n\r\n")
      await client.wait { $0.contains("\r\n\r\n") }
      let head = TestResponse.parse(bytes: client.received, isHead: true).first
      #expect(head?.status == 200)
      #expect(head?.field("content-length") == "4")
      #expect(client.text.hasSuffix("\r\n\r\n"))
      client.send(get("/next"))
      await client.wait { $0.hasSuffix("/next") }
      #expect(client.text.hasSuffix("\r\n\r\n/next"))
    }
  }

  @Test @LoopActor
  func a204HasNeitherBodyNorLength() async throws {
    try await withEcho { _, client in
      client.send(get("/204") + get("/a"))
      let responses = await client.responses(2)
      #expect(responses.map(\.status) == [204, 200])
      #expect(responses.first?.field("content-length") == nil)
      #expect(responses.first?.field("transfer-encoding") == nil)
    }
  }

  @Test @LoopActor
  func everyAnswerHasADateAndNoServerField() async throws {
    try await withEcho { _, client in
      client.send(get("/a"))
      let response = await client.responses(1).first
      let date = response?.field("date") ?? ""
      #expect(
        date.wholeMatch(of: /(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
      #expect(response?.field("server") == nil)
      #expect(response?.fields("date").count == 1)
    }
  }

  @Test @LoopActor
  func echoesASaneRequestIDAndReplacesOthers() async throws {
    let saneIDs = ["abc", "req-1.2:3_4", String(repeating: "a", count: 128)]
    for id in saneIDs {
      try await withEcho { _, client in
        client.send(get("/a", "X-Request-ID: \(id)"))
        #expect(await client.responses(1).first?.fields("x-request-id") == [id])
      }
    }
    for id in ["", "a b", "a\"b", "é", String(repeating: "a", count: 129), "<script>", "a;b", "a,b"] {
      try await withEcho { _, client in
        client.send(get("/a", "X-Request-ID: \(id)"))
        let echoed = await client.responses(1).first?.fields("x-request-id") ?? []
        #expect(echoed.count == 1 && echoed.first?.hasPrefix("req-") == true, "\(echoed)")
      }
    }
  }

  @Test @LoopActor
  func requestIDsDiffer() async throws {
    try await withEcho { _, client in
      client.send(get("/a") + get("/a") + get("/a"))
      #expect(Set(await client.responses(3).map { $0.field("x-request-id") }).count == 3)
    }
  }

  @Test @LoopActor
  func aHandlerCannotInjectHeaderFields() async throws {
    let server = try TestServer { _, writer in
      writer.send(Response(fields: ["X-A": "b\r\nX-Evil: yes\r\n\r\nbody\u{0}"], body: Array("ok".utf8)))
    }
    let response = try await TestClient.exchange(port: server.port, get("/a"))
    #expect(response?.field("x-evil") == nil)
    #expect(response?.body == "ok")
    #expect(response?.head.utf8.contains(0) == false)
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func aHandlerThatForgetsToAnswerIsA500() async throws {
    let server = try TestServer { _, _ in }
    let response = try await TestClient.exchange(port: server.port, get("/a"))
    #expect(response?.status == 500)
    await server.stopWhenLeft()
  }

  // MARK: The client's side closes

  @Test @LoopActor
  func aHalfClosedClientGetsItsAnswer() async throws {
    try await withEcho { _, client in
      client.send(get("/slow"))
      client.finishSending()
      await client.waitForEnd()
      #expect(TestResponse.parse(bytes: client.received).map(\.body) == ["/slow"])
      #expect(client.hasEnded)
    }
  }

  @Test @LoopActor
  func aHalfClosedClientGetsTheAnswersToAllItHasPipelined() async throws {
    try await withEcho { _, client in
      client.send(get("/slow") + get("/b") + get("/slower"))
      client.finishSending()
      await client.waitForEnd()
      #expect(TestResponse.parse(bytes: client.received).map(\.body) == ["/slow", "/b", "/slower"])
    }
  }

  // MARK: An answer that is still being sent

  private static let longBytes = 12 << 20

  /// Runs `body` with a client that has read the beginning of a long answer and then stopped reading for a moment.
  @LoopActor
  private func withLongAnswer(
    limits: ConnectionState.Limits = .init(),
    _ fields: String = "",
    _ body: @LoopActor (TestServer, TestClient) async throws -> Void
  ) async throws {
    let server = try TestServer(limits: limits) { _, writer in
      writer.send(Response(body: [UInt8](repeating: 65, count: Self.longBytes)))
    }
    let client = try await TestClient.connect(port: server.port)
    client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n")
    await client.wait(forBytes: { !$0.isEmpty })
    client.pauseReading()
    try await body(server, client)
    client.resumeReading()
    await client.wait(forBytes: { $0.count > Self.longBytes })
    #expect(client.received.count > Self.longBytes, "the answer was cut off")
    client.close()
    await server.stopWhenLeft()
  }

  @Test(arguments: ["", "Connection: close\r\n"]) @LoopActor
  func aHalfClosedClientReadsALongAnswerToItsEnd(_ fields: String) async throws {
    try await withLongAnswer(fields) { _, client in
      client.finishSending()
      for _ in 0..<20 { await Loop.nextTurn() }
    }
  }

  @Test @LoopActor
  func drainingLetsALongAnswerArrive() async throws {
    try await withLongAnswer { server, _ in server.drain() }
  }

  @Test @LoopActor
  func aLastAnswerMayTakeLongerThanTheLinger() async throws {
    var limits = ConnectionState.Limits()
    limits.linger = .milliseconds(50)
    try await withLongAnswer(limits: limits, "Connection: close\r\n") { _, _ in
      // Two ticks of the clock of `OpenConnections`.
      await Loop.sleep(.milliseconds(2200))
    }
  }

  /// A connection whose both sides are done must not take up a place until a limit runs out.
  @Test @LoopActor
  func aConnectionEndsWithTheAnswerToAClientThatHasHalfClosed() async throws {
    var limits = ConnectionState.Limits()
    limits.linger = .seconds(3600)
    try await withEcho(limits: limits) { server, client in
      client.send(get("/slow"))
      client.finishSending()
      await client.waitForEnd()
      #expect(await eventually { server.connectionCount == 0 })
    }
  }

  @Test @LoopActor
  func aClientThatLeavesMidHeadLeavesNothingBehind() async throws {
    try await withEcho { server, client in
      client.send("GET /a HT")
      for _ in 0..<4 { await Loop.nextTurn() }
      client.close()
      #expect(await eventually { server.connectionCount == 0 })
    }
  }

  @Test @LoopActor
  func aHandlerLearnsThatItsClientHasGone() async throws {
    let handled = Handled()
    let server = try TestServer { request, writer in
      let left = Waiter<Void>()
      request.onClientGone {
        handled.gone += 1
        left.finish()
      }
      await left.value()
      writer.send(Response())
    }
    let client = try await TestClient.connect(port: server.port)
    client.send(get("/a"))
    for _ in 0..<10 { await Loop.nextTurn() }
    client.close()
    #expect(await eventually { handled.gone == 1 })
    await server.stopWhenLeft()
  }

  // MARK: Limits of time

  @Test @LoopActor
  func aSlowHeadIsA408() async throws {
    var limits = ConnectionState.Limits()
    limits.head = .milliseconds(100)
    try await withEcho(limits: limits) { _, client in
      client.send("GET /a HTTP/1.1\r\nHost: loc")
      await client.waitForEnd()
      let responses = TestResponse.parse(bytes: client.received)
      #expect(responses.map(\.status) == [408])
      #expect(responses.first?.field("connection") == "close")
      #expect(client.hasEnded)
    }
  }

  @Test @LoopActor
  func anIdleConnectionIsClosedWithoutAWord() async throws {
    var limits = ConnectionState.Limits()
    limits.idle = .milliseconds(100)
    try await withEcho(limits: limits) { _, client in
      await client.waitForEnd()
      #expect(client.hasEnded)
      #expect(client.received.isEmpty)
    }
    try await withEcho(limits: limits) { _, client in
      client.send(get("/a"))
      await client.waitForEnd()
      #expect(client.hasEnded)
      #expect(TestResponse.parse(bytes: client.received).map(\.body) == ["/a"])
    }
  }

  @Test @LoopActor
  func aSlowBodyIsA408() async throws {
    var limits = ConnectionState.Limits()
    limits.bodyGrace = .milliseconds(100)
    let server = try TestServer(limits: limits) { request, writer in
      do throws(HTTPError) {
        _ = try await request.collectBody()
        writer.send(Response())
      } catch {
        writer.send(APIError(error).response)
      }
    }
    let client = try await TestClient.connect(port: server.port)
    client.send("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe")
    await client.waitForEnd()
    #expect(client.hasEnded)
    let responses = TestResponse.parse(bytes: client.received)
    #expect(responses.map(\.status) == [408])
    #expect(responses.first?.field("connection") == "close")
    client.close()
    await server.stopWhenLeft()
  }

  /// Answers that nobody reads are not made: pipelining must not fill the memory.
  @Test @LoopActor
  func aClientThatPipelinesAndDoesNotReadGetsNoFurtherAnswersMade() async throws {
    let handled = Handled()
    let server = try TestServer { _, writer in
      handled.paths.append("x")
      writer.send(Response(body: [UInt8](repeating: 65, count: 50_000)))
    }
    let client = try await TestClient.connect(port: server.port)
    client.pauseReading()
    client.send(String(repeating: get("/a"), count: 3000))
    #expect(await eventually { handled.paths.count > 3 })
    await Loop.sleep(.milliseconds(300))
    let whileStalled = handled.paths.count
    #expect(whileStalled < 1000, "\(whileStalled) answers were made for a client that reads none")
    client.resumeReading()
    #expect(await eventually { handled.paths.count == 3000 })
    client.close()
    await server.stopWhenLeft()
  }

  /// However many: what has no room for its answer is not read yet. Also by a client that has nothing more to say.
  @Test(arguments: [(40_000, false), (40_000, true), (1800, true)]) @LoopActor
  func pipelinedRequestsAreAllAnsweredToAClientThatReads(_ count: Int, endsInput: Bool) async throws {
    let server = try TestServer()
    let client = connectedSocket(port: server.port)
    // All answers are of the same size.
    sendAll(client, get("/"))
    var answer: [UInt8] = []
    #expect(
      await eventually {
        answer += receiveSome(client) ?? []
        return answer.suffix(4) == Array("\r\n\r\n".utf8)[...]
      })
    let requests = String(repeating: get("/"), count: count)
    Thread.start {
      sendAll(client, requests)
      if endsInput { shutdown(client, Int32(SHUT_WR)) }
    }
    var received = 0
    var hasEnded = false
    #expect(
      await eventually {
        while !hasEnded {
          guard let more = receiveSome(client) else {
            hasEnded = true
            break
          }
          if more.isEmpty { break }
          received += more.count
        }
        return received >= count * answer.count || hasEnded
      })
    #expect(received == count * answer.count)
    close(client)
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func aClientThatStopsReadingIsDroppedAndItsHandlerBounded() async throws {
    var limits = ConnectionState.Limits()
    limits.writeStall = .milliseconds(200)
    let handled = Handled()
    let parts = 4000
    let server = try TestServer(limits: limits) { request, writer in
      writer.begin(status: 200, fields: [:])
      var part = ByteBuffer()
      part.append([UInt8](repeating: 65, count: 16 * 1024))
      for _ in 0..<parts where !writer.isGone {
        writer.write(part)
        handled.paths.append("part")
        await writer.waitForRoom()
      }
      handled.gone = writer.isGone ? 1 : 0
    }
    let client = try await TestClient.connect(port: server.port)
    client.pauseReading()
    client.send(get("/a"))
    #expect(await eventually { server.connectionCount == 0 && handled.gone == 1 })
    // What the kernel's buffers and ours hold, far below the 64 MB that the handler would like to send.
    #expect(handled.paths.count < parts / 4)
    client.close()
    await server.stopWhenLeft()
  }

  /// An answer may end while its client has yet to read most of it; who waited to write more is let go of then.
  @Test @LoopActor
  func nobodyWaitsForRoomOnceAnAnswerHasEnded() async throws {
    final class Waiting {}
    weak var held: Waiting?
    var calls = 0
    let server = try TestServer { request, writer in
      writer.begin(status: 200, fields: [:])
      writer.write { $0.append([UInt8](repeating: 65, count: 16 << 20)) }
      let waiting = Waiting()
      held = waiting
      writer.whenRoom {
        _ = waiting
        calls += 1
      }
      #expect(writer.hasNoRoom && calls == 0)
      writer.finish()
    }
    let client = try await TestClient.connect(port: server.port)
    client.pauseReading()
    client.send(get("/a"))
    #expect(await eventually { calls == 1 && held == nil })
    client.close()
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func drainingClosesIdleConnectionsAndLetsTheOthersFinish() async throws {
    try await withEcho { server, idle in
      let busy = try await TestClient.connect(port: server.port)
      busy.send(get("/slow"))
      for _ in 0..<6 { await Loop.nextTurn() }
      server.drain()
      await idle.waitForEnd()
      #expect(idle.hasEnded)
      await busy.waitForEnd()
      let response = TestResponse.parse(bytes: busy.received).first
      #expect(response?.body == "/slow")
      #expect(response?.field("connection") == "close")
      busy.close()
    }
  }
}
