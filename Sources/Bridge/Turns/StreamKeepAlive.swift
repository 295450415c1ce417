// Sends comments in streams that are silent for long, so that clients and proxies do not close them. One timer serves all
// streams, because a timer for each would take as much memory as the answer's text. Owns the list of these streams.

/// A stream that must not be silent for too long.
@LoopActor
protocol KeptAliveStream: AnyObject {
  /// Called at equal intervals. Writes a comment if nothing was written before this many calls in a row.
  func breakSilence(of maxSilentChecks: Int)
}

/// Has silent streams write a comment.
@LoopActor
final class StreamKeepAlive {
  /// How often in an interval the streams are checked.
  private static let checksPerInterval = 8
  /// How many checks a stream may be silent. Two fewer than there are in an interval: the last bytes may have been
  /// written just after a check, and the loop may be late. So a comment may come a quarter of the interval early.
  private static let maxSilentChecks = checksPerInterval - 2

  private let interval: Duration
  private var streams: [ObjectIdentifier: any KeptAliveStream] = [:]
  private var ticker = Ticker()

  /// No stream is silent for longer than `interval`, as long as the loop is not blocked.
  init(interval: Duration) { self.interval = interval }

  func add(_ stream: any KeptAliveStream) {
    streams[ObjectIdentifier(stream)] = stream
    ticker.start(every: interval / Self.checksPerInterval) { [weak self] in self?.checkStreams() }
  }

  func remove(_ stream: any KeptAliveStream) {
    streams[ObjectIdentifier(stream)] = nil
    if streams.isEmpty { ticker.stop() }
  }

  private func checkStreams() {
    for stream in streams.values { stream.breakSilence(of: Self.maxSilentChecks) }
  }
}
