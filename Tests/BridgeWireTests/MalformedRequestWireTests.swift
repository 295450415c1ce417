// Requests that must be refused: malformed, ambiguous, too large. Each answer is the connection's last, and what
// follows in the same write is never taken for a request of its own.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct MalformedRequestWireTests {
  private static let next = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

  @Test(arguments: RefusedRequest.all) @LoopActor
  func itIsRefused(_ bad: RefusedRequest) async throws {
    let handled = Handled()
    let server = try TestServer { request, writer in
      do throws(HTTPError) {
        _ = try await request.collectBody()
        handled.paths.append(request.head.path)
        writer.send(Response(body: Array("ok".utf8)))
      } catch {
        writer.send(APIError(error).response)
      }
    }
    let client = try await TestClient.connect(port: server.port)
    client.send(bad.bytes + Array(Self.next.utf8))
    await client.waitForEnd()
    #expect(client.hasEnded, "the connection stays open")
    let responses = TestResponse.parse(bytes: client.received)
    let response = try #require(responses.first, "no answer but “\(client.text)”")
    #expect(responses.count == 1)
    #expect(response.status == bad.status)
    #expect(response.field("connection") == "close")
    #expect(response.field("x-request-id")?.isEmpty == false)
    #expect(response.field("date") != nil)
    #expect(response.error("message")?.stringValue?.isEmpty == false)
    for key in ["type", "param", "code"] { #expect(response.error(key) != nil, "error.\(key) is absent") }
    #expect(handled.paths.isEmpty, "handled: \(handled.paths)")
    client.close()
    let next = try await TestClient.exchange(port: server.port, Self.next)
    #expect(next?.status == 200)
    await server.stopWhenLeft()
  }

  /// A handler that never looks at the body must not keep a broken one from being noticed.
  @Test(arguments: RefusedRequest.brokenBodies) @LoopActor
  func brokenBodyThatNobodyReadsEndsTheConnection(_ bad: RefusedRequest) async throws {
    let server = try TestServer { _, writer in writer.send(Response(body: Array("done".utf8))) }
    let client = try await TestClient.connect(port: server.port)
    client.send(bad.bytes + Array(Self.next.utf8))
    await client.waitForEnd()
    #expect(client.hasEnded)
    #expect(TestResponse.parse(bytes: client.received).count == 1)
    client.close()
    await server.stopWhenLeft()
  }
}

/// What a handler has seen.
@LoopActor
final class Handled {
  var paths: [String] = []
  var bodies: [String] = []
  var gone = 0
}
