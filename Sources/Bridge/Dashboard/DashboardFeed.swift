// The live feed of the dashboard: one timer and one rendering for all viewers, neither when nobody watches.
// Owns the viewers. A slow one misses what came in between, never the newest.

/// Sends snapshots as server-sent events.
@LoopActor
final class DashboardFeed {
  /// Each viewer costs a connection and its share of a rendering a second.
  static let maxViewers = 32
  private static let interval = Duration.seconds(1)
  private static let keepAliveInterval = Duration.seconds(15)

  /// Somebody who watches.
  @LoopActor
  private final class Viewer {
    var wake = Waiter<Void>()
    let principal: Principal
    /// The newest event that was sent to it.
    var sent = 0

    init(_ principal: Principal) { self.principal = principal }
  }

  private struct Rendering {
    var number: Int
    var facts: String
    var event: ByteBuffer
  }

  private let facts: @LoopActor (Principal) async -> JSONObject
  private let isEnding: @LoopActor () -> Bool
  private var viewers: [ObjectIdentifier: Viewer] = [:]
  private var ticker = Ticker()
  /// Each sees its own conversations only.
  private var rendered: [Principal: Rendering] = [:]
  private var lastWake = Duration.zero
  /// Whether a tick is still being worked on; the next one is left out then.
  private var isRendering = false

  /// The same for each key, so that no key can keep another out; with very many keys it is one.
  let maxViewersPerKey: Int

  /// `isEnding` tells that the server is about to stop; then the feed ends too.
  init(
    facts: @escaping @LoopActor (Principal) async -> JSONObject, isEnding: @escaping @LoopActor () -> Bool,
    keyCount: Int
  ) {
    self.facts = facts
    self.isEnding = isEnding
    maxViewersPerKey = max(1, Self.maxViewers / max(1, keyCount))
  }

  var viewerCount: Int { viewers.count }

  func hasRoom(for principal: Principal) -> Bool {
    viewers.values.count { $0.principal == principal } < maxViewersPerKey
  }

  /// Writes events until the client leaves or the server stops. The head has been sent. A new viewer gets the state
  /// at once.
  func serve(_ request: Request, _ writer: ResponseWriter) async {
    let viewer = Viewer(request.principal)
    if viewers.isEmpty { lastWake = Loop.now }
    viewers[ObjectIdentifier(viewer)] = viewer
    request.onClientGone { viewer.wake.finish() }
    defer { leave(viewer) }
    await render(for: viewer.principal)
    ticker.start(every: Self.interval) { [weak self] in self?.renderChanges() }
    while !request.isClientGone, !writer.isGone {
      if let rendered = rendered[viewer.principal], rendered.number != viewer.sent {
        viewer.sent = rendered.number
        writer.write(rendered.event)
      } else {
        writer.write { $0.append(comment: "keep-alive") }
      }
      if isEnding() { break }
      await writer.waitForRoom()
      // What came while the client was slow must not wait for the next change.
      if rendered[viewer.principal]?.number == viewer.sent { await viewer.wake.value() }
      viewer.wake = Waiter<Void>()
    }
    // Also for a client that has left: the connection lasts until its answer has ended.
    writer.finish()
  }

  private func leave(_ viewer: Viewer) {
    viewers[ObjectIdentifier(viewer)] = nil
    if !viewers.values.contains(where: { $0.principal == viewer.principal }) { rendered[viewer.principal] = nil }
    if viewers.isEmpty { ticker.stop() }
  }

  private func renderChanges() {
    guard !isRendering else { return }
    isRendering = true
    Loop.spawn {
      var changed: Set<Principal> = []
      for principal in Set(self.viewers.values.map(\.principal)) {
        if await self.render(for: principal) { changed.insert(principal) }
      }
      self.isRendering = false
      self.wakeViewers(changed)
    }
  }

  private func wakeViewers(_ changed: Set<Principal>) {
    let wakesAll = isEnding() || Loop.now - lastWake >= Self.keepAliveInterval
    guard wakesAll || !changed.isEmpty else { return }
    lastWake = Loop.now
    for viewer in viewers.values where wakesAll || changed.contains(viewer.principal) { viewer.wake.finish() }
  }

  /// Renders the state as `principal` may see it. False if it is the same as before, or nobody watches it any more.
  @discardableResult
  private func render(for principal: Principal) async -> Bool {
    let facts = await facts(principal)
    guard viewers.values.contains(where: { $0.principal == principal }) else { return false }
    let text = JSONValue.object(facts).jsonText
    let before = rendered[principal]
    guard text != before?.facts else { return false }
    var event = ByteBuffer()
    event.append(event: DashboardSnapshot.dated(facts).jsonText)
    rendered[principal] = Rendering(number: (before?.number ?? 0) + 1, facts: text, event: event)
    return true
  }
}
