// Signs of life in the silences of streamed answers: one timer for all of them, since each of its own would take as much
// memory as the answer's text does. Owns the list of the answers that stream.

/// Writes a comment to clients that would else hear nothing for too long.
@LoopActor
final class StreamKeepAlive {
  /// How often in an interval the streams are looked at. So a comment may come an eighth of it early, but never late.
  private static let looksPerInterval = 8
  /// What was written may have been written right after a look.
  private static let maxSilentLooks = looksPerInterval - 1

  private let interval: Duration
  private var streams: [ObjectIdentifier: AnswerStream] = [:]
  private var timer: LoopTimer?

  /// No stream is silent for longer than `interval`.
  init(interval: Duration) { self.interval = interval }

  func add(_ stream: AnswerStream) {
    streams[ObjectIdentifier(stream)] = stream
    guard timer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.look() }
    timer.start(after: step, repeating: step)
    self.timer = timer
  }

  func remove(_ stream: AnswerStream) {
    streams[ObjectIdentifier(stream)] = nil
    guard streams.isEmpty else { return }
    timer?.close()
    timer = nil
  }

  private var step: Duration { interval / Self.looksPerInterval }

  private func look() {
    for stream in streams.values { stream.breakSilence(of: Self.maxSilentLooks) }
  }
}
