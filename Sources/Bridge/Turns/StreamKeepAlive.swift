// Signs of life in the silences of streamed answers: one timer for all of them, since each of its own would take as much
// memory as the answer's text does. Owns the list of the answers that stream.

/// A streamed answer whose client may hear nothing for too long.
@LoopActor
protocol KeptAliveStream: AnyObject {
  /// Called at equal intervals. Writes a comment when that many calls in a row have found nothing written since the last.
  func breakSilence(of maxSilentLooks: Int)
}

/// Writes a comment to clients that would else hear nothing for too long.
@LoopActor
final class StreamKeepAlive {
  /// How often in an interval the streams are looked at.
  private static let looksPerInterval = 8
  /// What was written may have been written right after a look, and looks come late by what the loop is busy with. So a
  /// comment may come a quarter of the interval early.
  private static let maxSilentLooks = looksPerInterval - 2

  private let interval: Duration
  private var streams: [ObjectIdentifier: any KeptAliveStream] = [:]
  private var ticker = Ticker()

  /// No stream is silent for longer than `interval`, unless the loop stands still.
  init(interval: Duration) { self.interval = interval }

  func add(_ stream: any KeptAliveStream) {
    streams[ObjectIdentifier(stream)] = stream
    ticker.start(every: interval / Self.looksPerInterval) { [weak self] in self?.look() }
  }

  func remove(_ stream: any KeptAliveStream) {
    streams[ObjectIdentifier(stream)] = nil
    if streams.isEmpty { ticker.stop() }
  }

  private func look() {
    for stream in streams.values { stream.breakSilence(of: Self.maxSilentLooks) }
  }
}
