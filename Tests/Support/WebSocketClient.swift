// The other side of a WebSocket for wire tests: frames out, frames in.

import Testing

@testable import Bridge

/// A client of a WebSocket, over a connection that gathers everything it receives.
@LoopActor
struct WebSocketClient {
  let connection: TestClient

  /// The request that asks for a socket.
  nonisolated static func request(_ path: String = "/socket", _ fields: [String] = []) -> String {
    let own = [
      "GET \(path) HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return (own + fields).joined(separator: "\r\n") + "\r\n\r\n"
  }

  /// Connects, asks for a socket, sends `frames` right behind that and waits for the answer.
  static func connect(
    port: Int, _ path: String = "/socket", _ fields: [String] = [], frames: [UInt8] = []
  ) async throws -> WebSocketClient {
    let client = WebSocketClient(connection: try await TestClient.connect(port: port))
    client.connection.send(Array(request(path, fields).utf8) + frames)
    await client.connection.wait { $0.contains("\r\n\r\n") }
    let head = try #require(client.head, "no answer")
    #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
    return client
  }

  /// The head of the answer.
  var head: String? {
    Self.headEnd(connection.received).map { String(decoding: connection.received[..<$0], as: UTF8.self) }
  }

  /// The whole frames that have come.
  var frames: [ServerFrame] { Self.frames(of: connection.received) }

  func send(_ frames: [UInt8]...) { connection.send(frames.flatMap { $0 }) }
  func close() { connection.close() }

  /// Waits for `count` frames and returns all that are there.
  @discardableResult
  func frames(_ count: Int) async -> [ServerFrame] {
    await connection.wait(forBytes: { Self.frames(of: $0).count >= count })
    return frames
  }

  /// Waits for `count` text frames and returns their texts.
  @discardableResult
  func texts(_ count: Int) async -> [String] {
    await connection.wait(forBytes: { Self.frames(of: $0).count { $0.opcode == 1 } >= count })
    return frames.filter { $0.opcode == 1 }.map(\.text)
  }

  /// Waits for the close frame and returns its code; nil if it has none, or the server closes without one.
  func closeCode() async -> UInt16? {
    await connection.wait(forBytes: { Self.frames(of: $0).contains { $0.opcode == 8 } })
    return frames.last { $0.opcode == 8 }?.code
  }

  private nonisolated static func frames(of bytes: [UInt8]) -> [ServerFrame] {
    guard let end = headEnd(bytes) else { return [] }
    let frames = ServerFrame.parse(bytes[end...])
    if frames == nil { Issue.record("the server has sent a frame that is wrong") }
    return frames ?? []
  }

  private nonisolated static func headEnd(_ bytes: [UInt8]) -> Int? {
    bytes[...].firstOffset(of: "\r\n\r\n").map { $0 + 4 }
  }
}
