// All open connections, and the clock that enforces their time limits.

/// Owns the open connections.
@LoopActor
final class ConnectionRegistry {
  /// How often time limits are checked; they are tens of seconds.
  private static let tick = Duration.seconds(1)

  private var connections: [ObjectIdentifier: Connection] = [:]
  private var timer: LoopTimer?

  var count: Int { connections.count }

  func add(_ stream: ByteStream, _ environment: Connection.Environment) {
    let connection = Connection(stream: stream, environment: environment) { [weak self] in self?.remove($0) }
    connections[ObjectIdentifier(connection)] = connection
    if timer == nil {
      let timer = LoopTimer { [weak self] in self?.check() }
      timer.start(after: Self.tick, repeating: Self.tick)
      self.timer = timer
    }
    connection.start()
  }

  /// Closes idle connections and lets the others finish their answer.
  func drain() {
    for connection in connections.values { connection.drain() }
  }

  func closeAll() {
    for connection in connections.values { connection.close() }
  }

  private func remove(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
    guard connections.isEmpty else { return }
    timer?.close()
    timer = nil
  }

  private func check() {
    let now = Loop.now
    for connection in connections.values { connection.tick(at: now) }
  }
}
