// All open connections, how many there may be, and the clock that enforces their time limits.

/// Owns the open connections.
@LoopActor
final class ConnectionRegistry {
  /// How many connections may be open.
  struct Limits: Sendable {
    var total = Int.max
    /// From one IPv4 address, or one IPv6 network of 64 bits: what a single subscriber has.
    var perAddress = Int.max
  }

  /// How often time limits are checked; they are tens of seconds.
  private static let tick = Duration.seconds(1)
  /// Connections beyond the limit that are told so at once; still further ones are closed without a word.
  private static let maxTurnedAway = 64

  private struct Entry {
    let connection: Connection
    let block: SocketAddress.Block?
  }

  private var connections: [ObjectIdentifier: Entry] = [:]
  private var counts: [SocketAddress.Block: Int] = [:]
  private var turnedAway: [ObjectIdentifier: Connection] = [:]
  /// Idle connections that may be closed for new ones; looked for once per tick at most.
  private var idle: [Connection] = []
  private var idleFoundAt: Duration?
  private var timer: LoopTimer?
  /// Connections that were not served because there were too many.
  private(set) var refusedCount = 0
  var limits = Limits()

  var count: Int { connections.count }

  func add(_ stream: ByteStream, _ environment: Connection.Environment) {
    let block = stream.peerAddress?.block
    if let block, counts[block, default: 0] >= limits.perAddress {
      return turnAway(stream, environment, .tooManyConnections(fromOneAddress: true))
    }
    if count >= limits.total, !closeIdle() {
      return turnAway(stream, environment, .tooManyConnections(fromOneAddress: false))
    }
    let connection = Connection(stream: stream, environment: environment) { [weak self] in self?.remove($0) }
    connections[ObjectIdentifier(connection)] = Entry(connection: connection, block: block)
    if let block { counts[block, default: 0] += 1 }
    startTimer()
    connection.start()
  }

  /// Closes idle connections and lets the others finish their answer.
  func drain() {
    for entry in connections.values { entry.connection.drain() }
  }

  func closeAll() {
    for entry in connections.values { entry.connection.close() }
    for connection in turnedAway.values { connection.close() }
  }

  private func remove(_ connection: Connection) {
    guard let entry = connections.removeValue(forKey: ObjectIdentifier(connection)) else { return }
    if let block = entry.block, let count = counts[block] { counts[block] = count > 1 ? count - 1 : nil }
    stopTimerIfEmpty()
  }

  /// Answers with the refusal and closes.
  private func turnAway(_ stream: ByteStream, _ environment: Connection.Environment, _ error: HTTPError) {
    refusedCount += 1
    guard turnedAway.count < Self.maxTurnedAway else { return stream.close() }
    let connection = Connection(stream: stream, environment: environment) { [weak self] in
      self?.turnedAway[ObjectIdentifier($0)] = nil
      self?.stopTimerIfEmpty()
    }
    turnedAway[ObjectIdentifier(connection)] = connection
    startTimer()
    connection.turnAway(error)
  }

  /// A connection that only waits for another request is worth less than a new one (RFC 9112 §9.5 lets a server close
  /// it at any time). False if there is none.
  private func closeIdle() -> Bool {
    if idle.isEmpty, idleFoundAt.map({ Loop.now - $0 >= Self.tick }) ?? true {
      idleFoundAt = Loop.now
      idle = connections.values.map(\.connection).filter { $0.idleSince != nil }
        .sorted { ($0.idleSince ?? .zero) > ($1.idleSince ?? .zero) }
    }
    while let longest = idle.popLast() {
      guard longest.idleSince != nil else { continue }
      longest.close()
      return true
    }
    return false
  }

  private func startTimer() {
    guard timer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.check() }
    timer.start(after: Self.tick, repeating: Self.tick)
    self.timer = timer
  }

  private func stopTimerIfEmpty() {
    guard connections.isEmpty, turnedAway.isEmpty else { return }
    timer?.close()
    timer = nil
    idle = []
  }

  private func check() {
    let now = Loop.now
    for entry in connections.values { entry.connection.tick(at: now) }
    for connection in turnedAway.values { connection.tick(at: now) }
  }
}
