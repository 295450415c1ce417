// WebSockets over real connections: the handshake, messages, the end from both sides, limits.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct WebSocketWireTests {
  // MARK: The handshake

  @Test @LoopActor
  func theAnswerIsThatOfTheStandard() async throws {
    try await WebSocketServer.run { server, client in
      let head = try #require(client.head)
      let answer = TestResponse(status: 101, head: head, body: "")
      #expect(answer.fields("sec-websocket-accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
      #expect(answer.fields("upgrade") == ["websocket"])
      #expect(answer.fields("connection") == ["Upgrade"])
      for name in ["content-length", "transfer-encoding", "sec-websocket-extensions", "sec-websocket-protocol"] {
        #expect(answer.fields(name).isEmpty)
      }
      #expect(answer.field("x-request-id") != nil)
      #expect(server.ended.map(\.status) == [101])
      #expect(server.connectionCount == 1)
    }
  }

  @Test @LoopActor
  func aRefusedRequestKeepsTheConnection() async throws {
    try await WebSocketServer.run { server, _ in
      let client = try await TestClient.connect(port: server.port)
      client.send("GET /socket HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let first = await client.responses(1).first
      #expect(first?.status == 426)
      #expect(first?.field("upgrade") == "websocket")
      #expect(first?.field("sec-websocket-version") == "13")
      client.send(WebSocketClient.request().replacing("Version: 13", with: "Version: 12"))
      #expect(await client.responses(2).last?.status == 426)
      client.send(WebSocketClient.request().replacing("ZQ==", with: "ZQ"))
      #expect(await client.responses(3).last?.status == 400)
      client.send(WebSocketClient.request())
      await client.wait { $0.contains("HTTP/1.1 101 ") }
      #expect(client.text.contains("HTTP/1.1 101 "))
      client.close()
    }
  }

  @Test @LoopActor
  func aClientThatHasClosedItsSideGetsNone() async throws {
    try await WebSocketServer.run { server, _ in
      let client = try await TestClient.connect(port: server.port)
      client.send(WebSocketClient.request("/left"))
      client.finishSending()
      await client.waitForEnd()
      #expect(client.hasEnded && client.received.isEmpty)
      client.close()
      #expect(server.sockets.count == 1 && server.ended.last?.status == nil)
    }
  }

  /// What follows the head may have come with it, be it that the request is answered at once or later.
  @Test(arguments: ["/socket", "/late"]) @LoopActor
  func framesRightBehindTheHeadAreRead(_ path: String) async throws {
    try await WebSocketServer.run { server, _ in
      let frames = ClientFrame.text("a") + ClientFrame.ping("p") + ClientFrame.text("b")
      let client = try await WebSocketClient.connect(port: server.port, path, frames: frames)
      #expect(await client.texts(2) == ["a", "b"])
      #expect(client.frames.contains { $0.opcode == 10 && $0.text == "p" })
      client.close()
    }
  }

  /// The first request is answered from a task, so the second is parsed from what was kept.
  @Test @LoopActor
  func aRequestBehindAnotherGetsItsSocket() async throws {
    try await WebSocketServer.run { server, _ in
      let client = WebSocketClient(connection: try await TestClient.connect(port: server.port))
      let first = "POST /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
      client.connection.send(Array((first + WebSocketClient.request()).utf8) + ClientFrame.text("a"))
      await client.connection.wait(forBytes: { $0.suffix(3) == [0x81, 1, 0x61][...] })
      #expect(client.connection.text.hasPrefix("HTTP/1.1 426 "))
      #expect(client.connection.text.contains("HTTP/1.1 101 "))
      #expect(server.messages == ["a"])
      client.close()
    }
  }

  @Test @LoopActor
  func garbageBehindTheHeadIsAProtocolError() async throws {
    try await WebSocketServer.run { server, _ in
      let client = try await WebSocketClient.connect(
        port: server.port, frames: Array("GET / HTTP/1.1\r\n\r\n".utf8))
      #expect(await client.closeCode() == 1002)
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded && server.messages.isEmpty && server.closeCodes == [1002])
      client.close()
    }
  }

  // MARK: Messages

  @Test @LoopActor
  func messagesOfAllSizesComeBack() async throws {
    try await WebSocketServer.run { _, client in
      let texts =
        [1, 125, 126, 65_535, 65_536, 300_000].map { String(repeating: "é", count: $0 / 2) + "x" } + ["€"]
      for (index, text) in texts.enumerated() {
        client.send(ClientFrame.text(text))
        let isSame = await client.texts(index + 1).last == text
        #expect(isSame, "\(text.utf8.count) bytes")
      }
    }
  }

  @Test @LoopActor
  func aMessageInFragmentsAndByteByByteIsOne() async throws {
    try await WebSocketServer.run { server, client in
      let frames =
        ClientFrame.text("He", isFinal: false) + ClientFrame.ping("between")
        + ClientFrame.continuation("", isFinal: false) + ClientFrame.continuation("llo")
      client.send(frames)
      #expect(await client.texts(1) == ["Hello"])
      for byte in frames {
        client.send([byte])
        await Loop.nextTurn()
      }
      #expect(await client.texts(2) == ["Hello", "Hello"])
      #expect(client.frames.filter { $0.opcode == 10 }.map(\.text) == ["between", "between"])
      #expect(server.messages == ["Hello", "Hello"])
    }
  }

  @Test @LoopActor
  func oneMessageIsAnsweredAfterTheOther() async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.text("hold"), ClientFrame.text("a"), ClientFrame.ping(), ClientFrame.text("b"))
      // A ping is answered while a message is.
      #expect(await client.frames(1).first?.opcode == 10)
      #expect(server.messages == ["hold"])
      server.release.finish()
      #expect(await client.texts(3) == ["released", "a", "b"])
    }
  }

  /// However many: what has no room waits in the client, and the stack does not grow with them.
  @Test @LoopActor
  func thousandsOfMessagesAtOnceAreAllAnswered() async throws {
    try await WebSocketServer.run { server, client in
      let count = 20_000
      let frames = (0..<count).flatMap { ClientFrame.text("\($0)") }
      client.send(frames)
      await client.connection.wait(forBytes: { $0.suffix(5) == Array("\(count - 1)".utf8)[...] })
      #expect(server.messages.count == count)
      let isSame = client.frames.map(\.text) == (0..<count).map(String.init)
      #expect(isSame)
    }
  }

  /// A client that sends ahead of a slow answer is not read without bound.
  @Test @LoopActor
  func readingStopsWhileManyMessagesWait() async throws {
    let budget = ContentBudget()
    try await WebSocketServer.run(maxBodyBytes: 8 << 20, budget: budget) { server, client in
      client.send(ClientFrame.text("hold"))
      #expect(await eventually { server.messages.count == 1 })
      let long = ClientFrame.text(String(repeating: "y", count: 400_000))
      for _ in 0..<40 { client.send(long) }
      #expect(await eventually { server.sockets.first?.stream.isReading == false })
      for _ in 0..<20 { await Loop.nextTurn() }
      #expect(budget.heldBytes < 2 << 20)
      #expect(client.connection.unsentBytes > 0)
      server.release.finish()
      let texts = await client.texts(41)
      #expect(texts.count == 41 && texts.first == "released")
    }
  }

  @Test @LoopActor
  func manySmallMessagesThatWaitStopReadingToo() async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.text("hold"))
      client.send((0..<100).flatMap { ClientFrame.text("\($0)") })
      #expect(await eventually { server.sockets.first?.stream.isReading == false })
      server.release.finish()
      #expect(await client.texts(101).last == "99")
    }
  }

  @Test @LoopActor
  func contentBeyondTheMemoryOfAllIsRefused() async throws {
    let budget = ContentBudget(limit: 100_000)
    try await WebSocketServer.run(budget: budget) { server, client in
      client.send(ClientFrame.text(String(repeating: "z", count: 90_000)))
      #expect(await client.texts(1).count == 1)
      client.send(ClientFrame.text(String(repeating: "z", count: 200_000)))
      #expect(await client.closeCode() == 1013)
      client.send(ClientFrame.close(1013))
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded && budget.heldBytes == 0)
    }
  }

  // MARK: What is refused

  private static let refused: [(UInt16, [UInt8])] = {
    let part = String(repeating: "a", count: 600)
    return [
      (1009, ClientFrame.make(1, [], claiming: 1001)), (1003, ClientFrame.make(2, [0])),
      (1007, ClientFrame.make(1, [0xFF])), (1002, ClientFrame.make(1, [0x61], mask: nil)),
      (1002, ClientFrame.make(1, [], reserved: 0x40)),
      (1009, ClientFrame.text(part, isFinal: false) + ClientFrame.continuation(part)),
    ]
  }()

  @Test(arguments: refused) @LoopActor
  func isClosedWithTheCodeThatSaysWhy(_ code: UInt16, _ frames: [UInt8]) async throws {
    try await WebSocketServer.run(maxBodyBytes: 1000) { server, client in
      client.send(ClientFrame.text("before"), frames, ClientFrame.text("behind"))
      #expect(await client.closeCode() == code)
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded)
      #expect(client.frames.map(\.opcode) == [1, 8])
      #expect(server.messages == ["before"] && server.closeCodes == [code])
    }
  }

  /// A client that is sending gets to read why it is closed: what it still sends is thrown away.
  @Test @LoopActor
  func aClientInTheMiddleOfALargeMessageReadsTheReason() async throws {
    try await WebSocketServer.run { _, client in
      let count = 32 << 20
      client.send(ClientFrame.make(1, [UInt8](repeating: 0x61, count: count)))
      #expect(await client.closeCode() == 1009)
      #expect(await eventually { client.connection.unsentBytes == 0 })
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded)
    }
  }

  // MARK: The end

  @Test(arguments: [1000, 1001, 3000, nil] as [UInt16?]) @LoopActor
  func theCloseOfTheClientIsAnswered(_ code: UInt16?) async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.close(code, code == nil ? "" : "bye"), ClientFrame.text("behind"))
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded)
      #expect(client.frames.map(\.opcode) == [8] && client.frames.first?.code == code)
      #expect(server.closeCodes == [code ?? 1005] && server.messages.isEmpty)
    }
  }

  @Test @LoopActor
  func theServerWaitsForTheCloseOfTheClient() async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.text("bye"))
      #expect(await client.closeCode() == 1000)
      #expect(server.closeCodes == [1000])
      for _ in 0..<10 { await Loop.nextTurn() }
      #expect(!client.connection.hasEnded)
      client.send(ClientFrame.text("ignored"), ClientFrame.ping(), ClientFrame.close(1000))
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded)
      #expect(client.frames.map(\.opcode) == [8] && server.messages == ["bye"])
    }
  }

  @Test @LoopActor
  func aClientThatDoesNotAnswerACloseIsClosedAllTheSame() async throws {
    var limits = ConnectionState.Limits()
    limits.socketClose = .milliseconds(50)
    try await WebSocketServer.run(limits: limits) { _, client in
      client.send(ClientFrame.text("bye"))
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded && client.frames.map(\.opcode) == [8])
    }
  }

  @Test(arguments: [false, true]) @LoopActor
  func aClientThatLeavesWithoutAWordIsNoticed(whileAnswering: Bool) async throws {
    try await WebSocketServer.run { server, client in
      if whileAnswering {
        client.send(ClientFrame.text("hold"))
        #expect(await eventually { server.messages == ["hold"] })
      }
      client.close()
      #expect(await eventually { server.closeCodes == [1006] && server.connectionCount == 0 })
    }
  }

  @Test @LoopActor
  func aSilentClientIsAskedAndKeptWhileItAnswers() async throws {
    var limits = ConnectionState.Limits()
    limits.socketSilence = .milliseconds(10)
    limits.socketAnswer = .milliseconds(10)
    try await WebSocketServer.run(limits: limits) { server, client in
      #expect(await client.frames(1).map(\.opcode) == [9])
      client.send(ClientFrame.pong())
      #expect(await client.frames(2).map(\.opcode) == [9, 9])
      // Without an answer the connection is cut, and not closed with a frame that nobody reads.
      await client.connection.waitForEnd()
      #expect(client.connection.hasEnded && client.frames.allSatisfy { $0.opcode == 9 })
      #expect(server.closeCodes == [1006])
    }
  }

  @Test @LoopActor
  func aMessageThatTricklesIsRefused() async throws {
    var limits = ConnectionState.Limits()
    limits.bodyGrace = .milliseconds(100)
    try await WebSocketServer.run(limits: limits) { _, client in
      client.send(ClientFrame.text("a", isFinal: false))
      #expect(await client.closeCode() == 1008)
    }
  }

  // MARK: Drain

  @Test @LoopActor
  func drainClosesAnIdleSocketAtOnceAndABusyOneAfterItsAnswer() async throws {
    try await WebSocketServer.run { server, idle in
      let busy = try await WebSocketClient.connect(port: server.port)
      busy.send(ClientFrame.text("hold"), ClientFrame.text("waits"))
      #expect(await eventually { server.messages == ["hold"] })
      server.drain()
      #expect(await idle.closeCode() == 1001)
      for _ in 0..<10 { await Loop.nextTurn() }
      #expect(busy.frames.isEmpty)
      server.release.finish()
      #expect(await busy.closeCode() == 1001)
      #expect(busy.frames.map(\.opcode) == [1, 8] && busy.frames.first?.text == "released")
      #expect(server.messages == ["hold"])
      busy.send(ClientFrame.close(1001))
      await busy.connection.waitForEnd()
      #expect(busy.connection.hasEnded)
      busy.close()
    }
  }

  @Test @LoopActor
  func aSocketThatIsAskedForWhileDrainingAnswersWhatCameWithTheRequest() async throws {
    try await WebSocketServer.run { server, _ in
      let connection = try await TestClient.connect(port: server.port)
      #expect(await eventually { server.connectionCount == 2 })
      server.drain()
      let client = WebSocketClient(connection: connection)
      connection.send(Array(WebSocketClient.request("/late").utf8) + ClientFrame.text("a"))
      #expect(await client.closeCode() == 1001)
      #expect(client.frames.map(\.opcode) == [1, 8])
      client.close()
    }
  }

  // MARK: A client that does not read

  @Test @LoopActor
  func aWriterWaitsForAClientThatReadsSlowlyAndOneThatStopsIsDropped() async throws {
    var limits = ConnectionState.Limits()
    limits.writeStall = .milliseconds(200)
    try await WebSocketServer.run(limits: limits) { server, client in
      client.connection.pauseReading()
      client.send(ClientFrame.text("flood"))
      #expect(await eventually { server.closeCodes == [1006] && server.connectionCount == 0 })
      // What the kernel's buffers and ours hold.
      #expect((1..<4000).contains(server.flooded))
    }
  }

  /// Waits until nothing more is written, and returns how much was. The last write may be half taken by the kernel, so that there is
  /// room again although nothing goes on.
  @LoopActor
  private func floodStandsStill(_ server: WebSocketServer) async -> Int {
    var (last, polls) = (0, 0)
    _ = await eventually {
      polls = server.flooded == last ? polls + 1 : 0
      last = server.flooded
      return last > 0 && polls > 100
    }
    return last
  }

  @Test @LoopActor
  func aWriterGoesOnWhenItsClientReads() async throws {
    try await WebSocketServer.run { server, client in
      client.connection.pauseReading()
      client.send(ClientFrame.text("flood"))
      let before = await floodStandsStill(server)
      client.connection.resumeReading()
      #expect(await eventually { server.flooded > before + 100 })
    }
  }

  /// Neither answers nor pongs gather for a client that only sends.
  @Test @LoopActor
  func whatIsSentToAClientThatDoesNotReadIsBounded() async throws {
    try await WebSocketServer.run { server, client in
      client.connection.pauseReading()
      let frames =
        ClientFrame.ping(String(repeating: "p", count: 125)) + ClientFrame.text(String(repeating: "t", count: 100))
      let many = (0..<1000).flatMap { _ in frames }
      for _ in 0..<40 { client.send(many) }
      client.send(ClientFrame.text("end"))
      #expect(await eventually { server.sockets.first?.stream.isReading == false })
      #expect((server.sockets.first?.stream.unsentBytes ?? 0) < 1 << 20)
      client.connection.resumeReading()
      // A pong may be the last.
      await client.connection.wait(forBytes: { $0.suffix(400).firstOffset(of: "end") != nil })
      #expect(client.frames.count { $0.opcode == 1 } == 40_001)
    }
  }

  // MARK: Answers like those to requests

  @Test @LoopActor
  func aMessageIsAnsweredThroughAResponseWriter() async throws {
    try await WebSocketServer.run { server, client in
      client.send(
        ClientFrame.text("answer"), ClientFrame.text("answer: refuse"), ClientFrame.text("answer: nothing"))
      let texts = await client.texts(5)
      #expect(texts == ["one", "two", "/socket", "400 no", "500 \(HTTPError.noAnswer.message)"])
      #expect(server.ended.map(\.status) == [101, 200, 400, 500])
      #expect(client.frames.allSatisfy { $0.opcode == 1 })
      #expect(client.connection.text.ranges(of: "HTTP/1.1").count == 1)
    }
  }

  @Test @LoopActor
  func anAnswerThatIsCutClosesTheSocket() async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.text("answer: abort"), ClientFrame.text("behind"))
      #expect(await client.closeCode() == 1011)
      #expect(client.frames.map(\.opcode) == [1, 8])
      #expect(server.ended.count == 2 && server.messages.count == 1)
    }
  }

  @Test(arguments: [ClientFrame.close(1000), ClientFrame.make(2, []), nil] as [[UInt8]?]) @LoopActor
  func anAnswerLearnsThatItsClientHasGone(_ last: [UInt8]?) async throws {
    try await WebSocketServer.run { server, client in
      client.send(ClientFrame.text("answer: wait"))
      #expect(await client.texts(1) == ["begun"])
      if let last { client.send(last) } else { client.close() }
      #expect(await eventually { server.ended.count == 2 })
      #expect(server.ended.last?.isGone == true && server.ended.last?.status == 200)
      if last != nil {
        await client.connection.waitForEnd()
        #expect(client.frames.map(\.opcode) == [1, 8])
      }
    }
  }

  /// The server cannot keep a socket whose client asks for something in HTTP's words.
  @Test @LoopActor
  func aSocketIsNoLongerHTTP() async throws {
    try await WebSocketServer.run { _, client in
      client.connection.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(await client.closeCode() == 1002)
    }
  }
}
