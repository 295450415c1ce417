// An HTTP server on a free loopback port for wire tests, with any handler behind it.

import Testing

@testable import Bridge

/// The bridge's HTTP layer with a handler of the test's own.
@LoopActor
final class TestServer {
  let connections = OpenConnections()
  let budget: ContentBudget
  private var listener: Listener?
  private(set) var port = 0

  /// Serves `handle` on a free port of the loopback address `host` until `stop`.
  convenience init(
    host: String = "127.0.0.1",
    limits: ConnectionState.Limits = .init(),
    maxBodyBytes: Int = 1 << 20,
    budget: ContentBudget = ContentBudget(),
    handle: @escaping @Sendable @LoopActor (Request, ResponseWriter) async -> Void
  ) throws {
    try self.init(host: host, limits: limits, maxBodyBytes: maxBodyBytes, budget: budget) { request, writer in
      { await handle(request, writer) }
    }
  }

  /// The same with a handler that may answer at once.
  init(
    host: String = "127.0.0.1", limits: ConnectionState.Limits, maxBodyBytes: Int, budget: ContentBudget,
    ended: @escaping @Sendable @LoopActor (Request, ResponseWriter) -> Void = { _, _ in },
    answer: @escaping @Sendable @LoopActor (Request, ResponseWriter) -> Connection.Work?
  ) throws {
    self.budget = budget
    let environment = Connection.Environment(
      limits: limits, maxBodyBytes: maxBodyBytes, budget: budget, handle: answer, ended: ended,
      refusal: { error, _ in APIError(error).response })
    let address = try SocketAddress.resolve(host: host, port: 0)[0]
    let listener = try Listener(
      on: address, onConnection: { [connections] in connections.add($0, environment) }, onAcceptFailure: { _ in })
    self.listener = listener
    port = listener.address?.port ?? 0
  }

  /// Answers every request at once, with nothing.
  convenience init() throws {
    try self.init(limits: .init(), maxBodyBytes: 1 << 20, budget: ContentBudget()) { _, writer in
      writer.send(Response(body: []))
      return nil
    }
  }

  /// Open connections.
  var connectionCount: Int { connections.count }

  func drain() { connections.drain() }

  func stop() {
    listener?.close()
    listener = nil
    connections.closeAll()
  }

  /// Waits for the connections to end by themselves, as they must when their clients have gone, then stops.
  func stopWhenLeft() async {
    #expect(await eventually { self.connectionCount == 0 }, "connections outlive their clients")
    #expect(budget.heldBytes == 0, "content outlives its request")
    stop()
  }
}

/// Waits until `condition` holds, or a minute has passed. Returns whether it holds.
@LoopActor
func eventually(_ condition: @LoopActor () -> Bool) async -> Bool {
  if condition() { return true }
  // The loop's clock stands still while a test computes; that time is not the condition's.
  await Loop.nextTurn()
  let deadline = Loop.now + .seconds(60)
  while !condition(), Loop.now < deadline { await Loop.sleep(.milliseconds(2)) }
  return condition()
}
