// The request that asks for a WebSocket.

import Testing

@testable import Bridge

struct WebSocketHandshakeTests {
  private static let sound = [
    "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]

  private func head(_ fields: [String], _ line: String = "GET /a HTTP/1.1") throws -> RequestHead {
    try ParsedRequest.head(([line] + fields).joined(separator: "\r\n") + "\r\n\r\n")
  }

  /// The sound request with the fields of these names replaced.
  private func fields(replacing changed: [String]) -> [String] {
    let names = changed.map { $0.split(separator: ":")[0] }
    return Self.sound.filter { !names.contains($0.split(separator: ":")[0]) }
      + changed.filter { !$0.hasSuffix(":") }
  }

  private func refusal(_ fields: [String], _ line: String = "GET /a HTTP/1.1") throws -> WebSocketHandshake
    .Refusal?
  {
    let head = try head(fields, line)
    do throws(WebSocketHandshake.Refusal) {
      _ = try WebSocketHandshake(head)
      return nil
    } catch {
      return error
    }
  }

  /// The example of RFC 6455 §1.3.
  @Test func acceptsTheExampleOfTheStandard() throws {
    let handshake = try WebSocketHandshake(head(Self.sound))
    #expect(handshake.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    let text = String(decoding: handshake.fields.bytes, as: UTF8.self)
    #expect(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    #expect(text.contains("\r\nUpgrade: websocket"))
  }

  @Test(arguments: [
    ["Upgrade: WebSocket"], ["Upgrade: h2c, websocket"], ["Connection: keep-alive, Upgrade"],
    ["Connection: keep-alive", "Connection: upgrade"],
    ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"], ["Sec-WebSocket-Protocol: chat, x"],
    ["Origin: http://localhost"],
  ])
  func acceptsWhatClientsWrite(_ changed: [String]) throws {
    let accepted = try WebSocketHandshake(head(fields(replacing: changed)))
    let text = String(decoding: accepted.fields.bytes, as: UTF8.self)
    #expect(!text.contains("Extensions") && !text.contains("Protocol"))
  }

  @Test(arguments: [
    ["Connection:"], ["Connection: keep-alive"], ["Sec-WebSocket-Key:"],
    ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="],
    ["Sec-WebSocket-Key: AAAA"], ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"],
    ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    ["Content-Length: 3"], ["Transfer-Encoding: chunked"],
  ])
  func refusesWhatIsMalformed(_ changed: [String]) throws {
    let refusal = try #require(try refusal(fields(replacing: changed)))
    #expect(refusal.status == 400 && !refusal.needsUpgrade && !refusal.message.isEmpty)
  }

  @Test(arguments: ["POST /a HTTP/1.1", "HEAD /a HTTP/1.1", "GET /a HTTP/1.0"])
  func refusesOtherRequests(_ line: String) throws {
    #expect(try refusal(Self.sound, line)?.status == 400)
  }

  @Test(arguments: [
    ["Sec-WebSocket-Version:"], ["Sec-WebSocket-Version: 8"], ["Sec-WebSocket-Version: 13, 8"],
    ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"], ["Upgrade:"], ["Upgrade: h2c"],
  ])
  func namesWhatItWouldAccept(_ changed: [String]) throws {
    let refusal = try #require(try refusal(fields(replacing: changed)))
    #expect(refusal.status == 426 && refusal.needsUpgrade && !refusal.message.isEmpty)
    let text = String(decoding: WebSocketHandshake.requirements.bytes, as: UTF8.self)
    #expect(text.contains("Sec-WebSocket-Version: 13") && text.contains("Upgrade: websocket"))
  }

  @Test func tellsWhetherItIsAsked() throws {
    for (fields, isAsked) in [(Self.sound, true), (["Host: a"], false), (["Host: a", "Upgrade: h2c"], false)] {
      let head = try head(fields)
      #expect(WebSocketHandshake.isAsked(by: head) == isAsked)
    }
  }
}
