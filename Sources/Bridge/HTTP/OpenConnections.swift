// All open connections, how many there may be, and the clock that enforces their time limits.

/// Owns the open connections.
@LoopActor
final class OpenConnections {
  /// How many connections may be open.
  struct Limits: Sendable {
    var total = Int.max
    /// From one IPv4 address, or one IPv6 network of 64 bits: what a single subscriber has.
    var perAddress = Int.max
  }

  /// How often time limits are checked; they are tens of seconds.
  private static let tick = Duration.seconds(1)
  /// Connections beyond the limit that get an error at the same time; further ones are closed without an answer. With more,
  /// a flood costs more memory; with fewer, honest clients learn less often why they are refused.
  private static let maxTurnedAway = 64
  /// The shortest time between two log lines about refusals.
  private static let warningInterval = Duration.seconds(60)

  private struct Entry {
    let connection: Connection
    let block: SocketAddress.Block?
  }

  private var connections: [ObjectIdentifier: Entry] = [:]
  private var counts: [SocketAddress.Block: Int] = [:]
  private var turnedAway: [ObjectIdentifier: Connection] = [:]
  private var idle = Idle()
  private var ticker = Ticker()
  private var warnedAt: Duration?
  /// Connections that were not served because there were too many.
  private(set) var refusedCount = 0
  var limits = Limits()
  /// Called when the last connection that was served has closed.
  var onEmpty: (@LoopActor () -> Void)?

  var count: Int { connections.count }

  func add(_ stream: ByteStream, _ environment: Connection.Environment) {
    let block = stream.peerAddress?.block
    if let block, counts[block, default: 0] >= limits.perAddress, !closeIdle(of: block) {
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
    if connections.isEmpty { onEmpty?() }
  }

  /// Answers with the refusal and closes.
  private func turnAway(_ stream: ByteStream, _ environment: Connection.Environment, _ error: HTTPError) {
    refusedCount += 1
    logRefusal(error)
    guard turnedAway.count < Self.maxTurnedAway else { return stream.close() }
    let connection = Connection(stream: stream, environment: environment) { [weak self] in
      self?.turnedAway[ObjectIdentifier($0)] = nil
      self?.stopTimerIfEmpty()
    }
    turnedAway[ObjectIdentifier(connection)] = connection
    startTimer()
    connection.turnAway(error)
  }

  /// Logs a refusal, but not once for each connection of a flood.
  private func logRefusal(_ error: HTTPError) {
    guard warnedAt.map({ Loop.now - $0 >= Self.warningInterval }) ?? true else { return }
    warnedAt = Loop.now
    Log.warning("connections are refused", ["reason": error.message, "open": count, "refused": refusedCount])
  }

  /// Connections that may be closed for new ones, the longest idle last.
  private struct Idle {
    var all: [Connection] = []
    var byBlock: [SocketAddress.Block: [Connection]] = [:]
    var foundAt: Duration?

    mutating func popLongest(of block: SocketAddress.Block?) -> Connection? {
      if let block { byBlock[block]?.popLast() } else { all.popLast() }
    }
  }

  /// A connection that only waits for a request is worth less than a new one (RFC 9112 §9.5 lets a server close it at
  /// any time). Closes the longest idle one, of one address if `block` is given. False if there is none.
  private func closeIdle(of block: SocketAddress.Block? = nil) -> Bool {
    while let longest = takeIdle(of: block) {
      guard longest.idleSince != nil else { continue }
      longest.close()
      return true
    }
    return false
  }

  private func takeIdle(of block: SocketAddress.Block?) -> Connection? {
    if let connection = idle.popLongest(of: block) { return connection }
    // At most once per tick: to look through all connections for each new one would let a flood take the processor.
    guard idle.foundAt.map({ Loop.now - $0 >= Self.tick }) ?? true else { return nil }
    let entries = connections.values.filter { $0.connection.idleSince != nil }
      .sorted { ($0.connection.idleSince ?? .zero) > ($1.connection.idleSince ?? .zero) }
    idle = Idle(foundAt: Loop.now)
    for entry in entries {
      idle.all.append(entry.connection)
      if let block = entry.block { idle.byBlock[block, default: []].append(entry.connection) }
    }
    return idle.popLongest(of: block)
  }

  private func startTimer() {
    ticker.start(every: Self.tick) { [weak self] in self?.checkTimeLimits() }
  }

  private func stopTimerIfEmpty() {
    guard connections.isEmpty, turnedAway.isEmpty else { return }
    ticker.stop()
    idle = Idle()
  }

  private func checkTimeLimits() {
    let now = Loop.now
    // The list is dropped so that it does not keep closed connections in memory.
    if let foundAt = idle.foundAt, now - foundAt >= Self.tick { idle = Idle() }
    for entry in connections.values { entry.connection.tick(at: now) }
    for connection in turnedAway.values { connection.tick(at: now) }
  }
}
