// The live feed of the dashboard: one timer and one rendering for all viewers, neither when nobody watches.
// Owns the viewers. A slow one misses what came in between, never the newest.

/// Sends snapshots as server-sent events.
@LoopActor
final class DashboardFeed {
  static let maxViewers = 32
  private static let interval = Duration.seconds(1)
  private static let keepAliveInterval = Duration.seconds(15)

  /// Somebody who watches.
  @LoopActor
  private final class Viewer {
    var wake = Wait()
    /// The newest event that was sent to it.
    var sent = 0
  }

  private let facts: @LoopActor () -> JSONObject
  private let isEnding: @LoopActor () -> Bool
  private var viewers: [ObjectIdentifier: Viewer] = [:]
  private var timer: LoopTimer?
  private var rendered: (number: Int, facts: String, event: ByteBuffer)?
  private var lastWake = Duration.zero

  /// `isEnding` tells that the server is about to stop; then the feed ends too.
  init(facts: @escaping @LoopActor () -> JSONObject, isEnding: @escaping @LoopActor () -> Bool) {
    self.facts = facts
    self.isEnding = isEnding
  }

  var viewerCount: Int { viewers.count }
  var isFull: Bool { viewers.count >= Self.maxViewers }

  /// Writes events until the client leaves or the server stops. The head has been sent. A new viewer gets the state
  /// at once.
  func serve(_ request: Request, _ writer: ResponseWriter) async {
    let viewer = Viewer()
    viewers[ObjectIdentifier(viewer)] = viewer
    request.onClientGone = { viewer.wake.finish() }
    defer { leave(viewer) }
    render()
    startTimer()
    while !request.isClientGone, !writer.isGone {
      if let rendered, rendered.number != viewer.sent {
        viewer.sent = rendered.number
        writer.write(rendered.event)
      } else {
        var comment = ByteBuffer()
        comment.append(comment: "keep-alive")
        writer.write(comment)
      }
      if isEnding() { break }
      await writer.waitForRoom()
      // What came while the client was slow must not wait for the next change.
      if rendered?.number == viewer.sent { await viewer.wake.value() }
      viewer.wake = Wait()
    }
    // Also for a client that has left: the connection lasts until its answer has ended.
    writer.finish()
  }

  private func leave(_ viewer: Viewer) {
    viewers[ObjectIdentifier(viewer)] = nil
    guard viewers.isEmpty else { return }
    timer?.close()
    timer = nil
    rendered = nil
  }

  private func startTimer() {
    guard timer == nil else { return }
    lastWake = Loop.now
    let timer = LoopTimer { [weak self] in self?.look() }
    timer.start(after: Self.interval, repeating: Self.interval)
    self.timer = timer
  }

  private func look() {
    guard render() || isEnding() || Loop.now - lastWake >= Self.keepAliveInterval else { return }
    lastWake = Loop.now
    for viewer in viewers.values { viewer.wake.finish() }
  }

  /// Renders the state. False if it is the same as before.
  @discardableResult
  private func render() -> Bool {
    let facts = facts()
    let text = JSONValue.object(facts).jsonText
    guard text != rendered?.facts else { return false }
    var event = ByteBuffer()
    event.append(event: DashboardSnapshot.dated(facts).jsonText)
    rendered = ((rendered?.number ?? 0) + 1, text, event)
    return true
  }
}
