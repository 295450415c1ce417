// A request as handlers see it.

/// A request under way.
@LoopActor
final class Request: Caller {
  private(set) var head: RequestHead
  /// Nil if it has none, or nobody needs it any more.
  private(set) var body: RequestBody?
  /// The caller's `x-request-id` if that is valid (`RandomID.isValid`), else one of ours.
  let id: String
  /// The caller's numeric address.
  let peer: SocketAddress?
  /// Whose key it carries, once the key was checked. A request that needs no key is everybody's.
  var principal = Principal.everybody
  /// Which profile it chooses, once its route is known.
  var profile = ProfileKind.agent
  /// Where its answer is counted, once its route is known.
  var counts: AnswerCounts?
  /// By which its body is known again within this process, once it was read.
  var bodyFingerprint: Fingerprint?
  /// When the head was complete, on the loop's clock.
  let receivedAt: Duration

  /// True once the client has closed the connection, or its side of it; nothing more is sent to it.
  private(set) var isClientGone = false
  private var clientGoneActions = ClientGoneActions()

  init(
    head: RequestHead,
    body: RequestBody?,
    id: String,
    peer: SocketAddress?,
    receivedAt: Duration
  ) {
    self.head = head
    self.body = body
    self.id = id
    self.peer = peer
    self.receivedAt = receivedAt
  }

  /// 55 random bits in fifteen bytes, the longest text that a string holds without allocating memory.
  static func makeID() -> String { RandomID.make("req-", length: 11) }

  /// In which OpenAI's SDKs say how often they have sent a request before.
  static let retryCountField = "x-stainless-retry-count"

  /// Whether it says of itself that it repeats an earlier one, as OpenAI's SDKs do.
  var isMarkedRetry: Bool {
    guard let count = head.fields[Self.retryCountField] else { return false }
    return count != "0"
  }

  /// The header field that asks for what the user says to be told to a turn that runs, instead of waiting for its end.
  nonisolated static let steerField = "x-bridge-steer"

  /// Whether it asks for that.
  var wantsSteering: Bool { head.fields[Self.steerField]?.lowercased() == "true" }

  /// The whole body, as `RequestBody.collect` gives it; empty if there is none.
  func collectBody() async throws(HTTPError) -> [UInt8] { try await body?.collect() ?? [] }

  /// Frees what the client sent besides method and path, since an answer may take an hour.
  func forgetContent() {
    head.forgetFields()
    body?.share.release()
    body = nil
  }

  /// Has `action` called once when the client leaves while its request is handled; at once if it already has.
  @discardableResult
  func onClientGone(_ action: @escaping @LoopActor () -> Void) -> ClientGoneAction {
    let added = clientGoneActions.add(action)
    if isClientGone, let action = clientGoneActions.remove(added) { action() }
    return added
  }

  /// Takes back what `onClientGone` was asked for.
  func remove(_ action: ClientGoneAction) { clientGoneActions.remove(action) }

  /// Takes back everything that `onClientGone` was asked for: the answer is complete.
  func removeClientGoneActions() { _ = clientGoneActions.takeAll() }

  func holdsMore(bytes: Int) -> Bool { body?.share.grow(by: bytes) ?? true }

  /// Called by the connection.
  func clientLeft() {
    isClientGone = true
    for action in clientGoneActions.takeAll() { action() }
  }
}
