// The body of a request on its way to a handler. Owns the bytes that have arrived and were not collected yet.

/// The decoded body of one request.
@LoopActor
final class RequestBody {
  /// Bytes that may gather before a handler asks for the body; then reading stops. With more, a request that is refused for
  /// its key costs more memory; with less, a body that is wanted stops once more on its way.
  static let unclaimedBytes = 64 * 1024

  private enum State {
    case arriving
    case complete
    case failed(HTTPError)
  }

  private var state = State.arriving
  private var bytes: [UInt8] = []
  /// Finished once the body is complete or has failed. Made when somebody waits for that; most bodies come with their head.
  private var end: Waiter<Void>?
  private let declaredBytes: Int?
  private let maxBytes: Int
  /// What the request may hold in memory; given back when the request has been handled, or earlier.
  let share: ContentBudget.Share
  /// Called when a handler begins to wait: the moment to send `100 Continue` and to read on.
  var onClaim: (@LoopActor () -> Void)?

  init(framing: RequestHead.Framing, maxBytes: Int, share: ContentBudget.Share) {
    self.share = share
    self.maxBytes = maxBytes
    if case .length(let length) = framing { declaredBytes = length } else { declaredBytes = nil }
  }

  /// A body that is there, and was counted.
  init(complete bytes: [UInt8], share: ContentBudget.Share) {
    (self.bytes, self.share, state) = (bytes, share, .complete)
    (declaredBytes, maxBytes) = (nil, bytes.count)
  }

  /// Whether the connection should stop reading until the handler wants more.
  var isBacklogged: Bool { onClaim != nil && bytes.count >= Self.unclaimedBytes }

  /// The whole body, at most `maxBytes` of it: a larger one is refused, by its declared length before it is read.
  func collect() async throws(HTTPError) -> [UInt8] {
    if let declaredBytes, declaredBytes > maxBytes { throw .bodyTooLarge }
    if case .arriving = state {
      let claim = onClaim
      onClaim = nil
      claim?()
      await waitForEnd()
    }
    switch state {
    case .failed(let error): throw error
    case .arriving, .complete:
      defer { bytes = [] }
      return bytes
    }
  }

  private func waitForEnd() async {
    // To be asked for may have brought all of it.
    guard case .arriving = state else { return }
    let end = end ?? Waiter<Void>()
    self.end = end
    await end.value()
  }

  /// Called by the connection.
  func received(_ part: Span<UInt8>) {
    guard case .arriving = state else { return }
    guard bytes.count + part.count <= maxBytes else { return fail(.bodyTooLarge) }
    guard share.grow(by: part.count) else { return fail(.tooMuchContent) }
    if bytes.isEmpty, let declaredBytes { bytes.reserveCapacity(min(declaredBytes, maxBytes)) }
    bytes.append(part)
  }

  /// Called by the connection when the last byte is there.
  func ended() {
    guard case .arriving = state else { return }
    state = .complete
    finish()
  }

  /// Called by the connection when the body cannot become complete.
  func fail(_ error: HTTPError) {
    guard case .arriving = state else { return }
    state = .failed(error)
    bytes = []
    finish()
  }

  private func finish() {
    onClaim = nil
    end?.finish()
  }
}
