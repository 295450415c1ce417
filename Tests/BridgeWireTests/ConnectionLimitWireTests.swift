// How many connections may be open, and what happens to one more.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ConnectionLimitWireTests {
  private static let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

  @LoopActor
  private func withServer(
    _ limits: OpenConnections.Limits,
    firstRequest: Duration = .seconds(60),
    _ body: @LoopActor (TestServer) async throws -> Void
  ) async throws {
    var times = ConnectionState.Limits()
    times.firstRequest = firstRequest
    let server = try TestServer(limits: times) { _, writer in writer.send(Response(status: 200, body: [])) }
    server.connections.limits = limits
    defer { server.stop() }
    try await body(server)
    await server.stopWhenLeft()
  }

  @LoopActor
  private func connect(_ count: Int, _ server: TestServer) async throws -> [TestClient] {
    var clients: [TestClient] = []
    for _ in 0..<count { clients.append(try await .connect(port: server.port)) }
    #expect(await eventually { server.connectionCount == count })
    return clients
  }

  @Test(arguments: [true, false]) @LoopActor
  func oneTooManyIsToldSo(_ perAddress: Bool) async throws {
    var limits = OpenConnections.Limits()
    if perAddress { limits.perAddress = 2 } else { limits.total = 2 }
    try await withServer(limits) { server in
      let clients = try await connect(2, server)
      let response = try #require(try await TestClient.exchange(port: server.port, Self.request))
      #expect(response.status == 503)
      #expect(response.error("code") == "too_many_connections")
      #expect(response.field("retry-after") == "1")
      #expect(response.field("connection") == "close")
      #expect(server.connections.refusedCount == 1)
      // Those that are open are served.
      clients[0].send(Self.request)
      #expect(await clients[0].responses(1).first?.status == 200)
      clients[1].close()
      #expect(await eventually { server.connectionCount == 1 })
      let next = try await TestClient.exchange(port: server.port, Self.request)
      #expect(next?.status == 200)
      clients[0].close()
    }
  }

  @Test @LoopActor
  func theOneThatIsIdleLongestMakesRoom() async throws {
    try await withServer(.init(total: 3)) { server in
      let clients = try await connect(3, server)
      // The first two have been served; the third has not asked for anything yet.
      for client in clients.prefix(2) {
        client.send(Self.request)
        #expect(await client.responses(1).first?.status == 200)
        await Loop.sleep(.milliseconds(5))
      }
      let response = try await TestClient.exchange(port: server.port, Self.request)
      #expect(response?.status == 200)
      #expect(await eventually { clients[0].hasEnded })
      #expect(!clients[1].hasEnded)
      #expect(!clients[2].hasEnded)
      for client in clients { client.close() }
    }
  }

  /// Clients that connect and then say nothing must not keep others out.
  @Test(arguments: [true, false]) @LoopActor
  func oneThatHasNeverAskedMakesRoom(_ perAddress: Bool) async throws {
    var limits = OpenConnections.Limits()
    if perAddress { limits.perAddress = 2 } else { limits.total = 2 }
    try await withServer(limits, firstRequest: .zero) { server in
      let silent = try await connect(2, server)
      let response = try await TestClient.exchange(port: server.port, Self.request)
      #expect(response?.status == 200)
      #expect(await eventually { silent.contains(where: \.hasEnded) })
      #expect(server.connections.refusedCount == 0)
      for client in silent { client.close() }
    }
  }

  /// Its answer was made while it was read, and leaves when all sockets have been looked at.
  @Test @LoopActor
  func oneThatIsBeingAnsweredMakesNoRoom() async throws {
    let server = try TestServer()
    server.connections.limits.total = 1
    let client = connectedSocket(port: server.port)
    #expect(await eventually { server.connectionCount == 1 })
    for round in 1...2 {
      // Both are there when the loop looks, the request first.
      sendAll(client, Self.request)
      let other = round == 2 ? connectedSocket(port: server.port) : nil
      var answer = [UInt8]()
      #expect(
        await eventually {
          answer += receiveSome(client) ?? [0]
          return !answer.isEmpty
        })
      #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 200 OK"))
      if let other { close(other) }
    }
    #expect(server.connections.refusedCount == 1)
    close(client)
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func manyTooManyDoNoHarm() async throws {
    try await withServer(.init(total: 1)) { server in
      let client = try await connect(1, server)[0]
      var others: [TestClient] = []
      for _ in 0..<200 { others.append(try await .connect(port: server.port)) }
      #expect(await eventually { others.allSatisfy(\.hasEnded) })
      #expect(server.connections.refusedCount == 200)
      client.send(Self.request)
      #expect(await client.responses(1).first?.status == 200)
      for other in others { other.close() }
      client.close()
    }
  }

  @Test func blocksOfAddresses() throws {
    let block = { (host: String) in try SocketAddress.resolve(host: host, port: 1)[0].block }
    #expect(try block("192.0.2.1") == block("::ffff:192.0.2.1"))
    #expect(try block("192.0.2.1") != block("192.0.2.2"))
    #expect(try block("2001:db8::1") == block("2001:db8::ffff:1"))
    #expect(try block("2001:db8::1") != block("2001:db8:0:1::1"))
    #expect(try block("::192.0.2.1") != block("192.0.2.1"))
  }
}
