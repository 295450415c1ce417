// A server of WebSockets for wire tests: it echoes messages, and does otherwise what they say.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

/// What a server of WebSockets has seen.
@LoopActor
final class WebSocketServer {
  private(set) var sockets: [WebSocket] = []
  private(set) var messages: [String] = []
  private(set) var closeCodes: [UInt16] = []
  /// Requests that were answered, and messages that were answered like requests.
  private(set) var ended: [(status: Int?, isGone: Bool)] = []
  /// Frames that were written by `flood`.
  private(set) var flooded = 0
  /// Finished by the test to let `hold` go on.
  let release = Waiter<Void>()
  private var server: TestServer?

  private init() {}

  var port: Int { server?.port ?? 0 }
  var connectionCount: Int { server?.connectionCount ?? 0 }

  func drain() { server?.drain() }

  /// Runs `body` against a server and a client that has a socket; afterwards nothing of them is left.
  static func run(
    limits: ConnectionState.Limits = .init(), maxBodyBytes: Int = 1 << 20, budget: ContentBudget = ContentBudget(),
    frames: [UInt8] = [], _ body: @LoopActor (WebSocketServer, WebSocketClient) async throws -> Void
  ) async throws {
    let me = WebSocketServer()
    let server = try TestServer(
      limits: limits, maxBodyBytes: maxBodyBytes, budget: budget,
      ended: { request, writer in me.ended.append((writer.status, request.isClientGone)) },
      answer: { request, writer in me.handle(request, writer) })
    me.server = server
    do {
      let client = try await WebSocketClient.connect(port: server.port, frames: frames)
      try await body(me, client)
      client.close()
    } catch {
      server.stop()
      throw error
    }
    me.release.finish()
    await server.stopWhenLeft()
    // Its handler holds this object.
    me.server = nil
    #expect(me.closeCodes.count == me.sockets.count, "an owner was not told of the end, or twice")
  }

  /// Answers on the spot at `/socket`, after a loop turn at `/late`, and once the client is gone at `/left`.
  private func handle(_ request: Request, _ writer: ResponseWriter) -> Connection.Work? {
    if request.head.path == "/late" {
      return {
        await Loop.nextTurn()
        self.upgrade(request, writer)
      }
    }
    if request.head.path == "/left" {
      return {
        let left = Waiter<Void>()
        request.onClientGone { left.finish() }
        await left.value()
        self.upgrade(request, writer)
      }
    }
    upgrade(request, writer)
    return nil
  }

  private func upgrade(_ request: Request, _ writer: ResponseWriter) {
    do throws(WebSocketHandshake.Refusal) {
      let handshake = try WebSocketHandshake(request.head)
      guard let socket = writer.upgrade(handshake) else { return }
      sockets.append(socket)
      socket.start { message in
        self.answer(message, of: socket, request)
      } onClose: { code in
        self.closeCodes.append(code.value)
      }
    } catch {
      let fields = error.needsUpgrade ? WebSocketHandshake.requirements : [:]
      writer.send(Response(status: error.status, fields: fields, body: Array(error.message.utf8)))
    }
  }

  private func answer(_ message: WebSocketMessage, of socket: WebSocket, _ request: Request) {
    let text = String(decoding: message.text, as: UTF8.self)
    messages.append(text)
    switch text {
    case "hold":
      Loop.spawn {
        await self.release.value()
        socket.send { $0.append("released") }
        socket.messageAnswered()
      }
    case "bye":
      socket.close(.normal, "as you said")
      socket.messageAnswered()
    case "flood": flood(socket)
    case _ where text.hasPrefix("answer"):
      socket.answer(
        message, as: request,
        with: WebSocketAnswer.Handling(
          handle: { await self.answer($0, $1) },
          appendWhole: { $1.append("\($0.status) " + String(decoding: $0.body, as: UTF8.self)) },
          ended: { self.ended.append(($1.status, $0.isClientGone)) },
          refusal: { error, _ in Response(status: error.status, body: Array(error.message.utf8)) }))
    default:
      socket.send { $0.append(message.text) }
      socket.messageAnswered()
    }
  }

  /// Writes for as long as somebody may read it.
  private func flood(_ socket: WebSocket) {
    let part = [UInt8](repeating: UInt8(ascii: "x"), count: 16 << 10)
    while socket.isOpen, !socket.hasNoRoom {
      socket.send { $0.append(part) }
      flooded += 1
    }
    if socket.isOpen { socket.whenRoom { self.flood(socket) } }
  }

  /// Answers a message like a request.
  private func answer(_ request: Request, _ writer: ResponseWriter) async {
    let text = (try? await request.collectBody()).map { String(decoding: $0, as: UTF8.self) } ?? ""
    switch text {
    case "answer: refuse": writer.send(Response(status: 400, body: Array("no".utf8)))
    case "answer: nothing": return
    case "answer: abort":
      writer.begin(status: 200, fields: EventStream.fields)
      writer.write { $0.appendTextFrame { $0.append("begun") } }
      writer.abort()
    case "answer: wait":
      writer.begin(status: 200, fields: EventStream.fields)
      writer.write { $0.appendTextFrame { $0.append("begun") } }
      let left = Waiter<Void>()
      request.onClientGone { left.finish() }
      await left.value()
      // Nobody gets it.
      writer.finish { $0.appendTextFrame { $0.append("never") } }
    default:
      writer.begin(status: 200, fields: EventStream.fields)
      writer.write(comment: "a comment")
      for part in ["one", "two"] { writer.write { $0.appendTextFrame { $0.append(part) } } }
      await Loop.nextTurn()
      writer.finish { $0.appendTextFrame { $0.append(request.head.path) } }
    }
  }
}
