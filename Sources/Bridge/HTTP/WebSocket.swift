// One WebSocket: messages in, one at a time, and text frames out. Owns what has arrived and was not handled yet; when
// to ask and when to close is decided by `WebSocketState`.

/// What a socket needs of the connection that it has taken over.
@LoopActor
protocol WebSocketCarrier: AnyObject {
  /// Both sides have said that they close, or the peer cannot be understood any more: what is queued is sent, and what still
  /// comes is thrown away until the peer closes, for a bounded time.
  func socketEnded()
  func close()
}

/// The answer to a message, as the socket sees it.
@LoopActor
protocol WebSocketAnswering: AnyObject {
  /// There is room again.
  func becameWritable()
  /// Nothing more can be sent.
  func socketClosed()
}

/// A message of the client, with the memory that it counts for.
struct WebSocketMessage: Sendable {
  /// Valid UTF-8.
  let text: [UInt8]
  /// Given back when the message has been answered, or earlier by whoever does not need it any more.
  let share: ContentBudget.Share
}

/// A WebSocket on the server's side (RFC 6455).
///
/// `start` says who gets its messages. The next message comes once `messageAnswered` was called for the last.
@LoopActor
final class WebSocket {
  /// Messages that may wait while one is answered. Then reading stops, and with it what a client says besides, such as that it
  /// leaves. With more, each client can have more memory; with less, one that sends ahead is read later.
  private static let maxWaitingMessages = 16
  private static let maxWaitingBytes = 1 << 20

  let stream: ByteStream
  private var carrier: (any WebSocketCarrier)?
  private let budget: ContentBudget
  // Unchecked: values whose methods know no objects.
  @exclusivity(unchecked) private var parser: WebSocketParser
  @exclusivity(unchecked) private var state: WebSocketState
  /// Bytes that were read and have to wait, because messages do.
  @exclusivity(unchecked) private var unparsed = ByteBuffer()
  private var waiting: [WebSocketMessage] = []
  private var waitingBytes = 0
  /// What the message that is arriving counts for.
  private var arriving: ContentBudget.Share?
  private var arrivingBytes = 0
  /// What the message that is being answered counts for.
  private var answered: ContentBudget.Share?
  private var isParsing = false
  /// The latest ping that was not answered for want of room.
  private var owedPong: [UInt8]?
  private var onMessage: (@LoopActor (WebSocketMessage) -> Void)?
  private var onClose: (@LoopActor (WebSocketCloseCode) -> Void)?
  private var onRoom: (@LoopActor () -> Void)?
  private var answer: (any WebSocketAnswering)?

  /// Called by the connection, which has written the answer 101.
  init(
    stream: ByteStream, carrier: any WebSocketCarrier, limits: ConnectionState.SharedLimits, maxMessageBytes: Int,
    budget: ContentBudget
  ) {
    self.stream = stream
    self.carrier = carrier
    self.budget = budget
    parser = WebSocketParser(maxMessageBytes: maxMessageBytes)
    state = WebSocketState(limits: limits, now: Loop.now)
  }

  /// Begins to read. `onMessage` is called with each message, the next one after `messageAnswered`; `onClose` once, when nothing
  /// more can be sent and no message will come, with the code of whoever closed first. Neither is called any more after that.
  func start(
    onMessage: @escaping @LoopActor (WebSocketMessage) -> Void,
    onClose: @escaping @LoopActor (WebSocketCloseCode) -> Void
  ) {
    guard state.phase == .starting else { return onClose(.abnormal) }
    self.onMessage = onMessage
    self.onClose = onClose
    state.ownerStarted()
    parseWaiting()
    perform(state.closeIfDrained())
  }

  /// Whether frames may still be sent.
  var isOpen: Bool { state.isOpen }

  /// The message that was delivered is answered: the next may come. Not for a message that `answer` was called with, which
  /// sees to that by itself.
  func messageAnswered() {
    answer = nil
    answered?.release()
    answered = nil
    perform(state.messageAnswered())
    parseWaiting()
  }

  // MARK: Output

  /// Sends what `fill` appends as one text frame. Returns whether it did; when the socket is closed, `fill` is not run.
  @discardableResult
  func send(_ fill: (inout ByteBuffer) -> Void) -> Bool {
    guard isOpen else { return false }
    return stream.write { $0.appendTextFrame(fill) }
  }

  /// Whether a writer should wait before it writes more.
  var hasNoRoom: Bool { isOpen && stream.isAboveHighWater }

  /// Calls `callback` once there is room: at once if there is, and also when nobody will read any more. Only one callback may
  /// wait at a time.
  func whenRoom(_ callback: @escaping @LoopActor () -> Void) {
    if hasNoRoom { onRoom = callback } else { callback() }
  }

  /// Has `answer` told what happens to the socket until the message is answered.
  func began(_ answer: any WebSocketAnswering) {
    if isOpen { self.answer = answer } else { answer.socketClosed() }
  }

  /// Says goodbye. The connection ends when the peer has said so too, or after a bounded time.
  func close(_ code: WebSocketCloseCode = .normal, _ reason: String = "") {
    guard isOpen else { return }
    sendClose(code, reason)
    state.closeSent(at: Loop.now)
    parser.dropMessages()
    tellClosed(code)
    parseWaiting()
  }

  // MARK: From the connection

  /// Bytes came. They are only valid during the call.
  func received(_ bytes: Span<UInt8>) {
    state.heard(at: Loop.now)
    guard unparsed.isEmpty, !isParsing, state.phase != .starting else {
      unparsed.append(bytes)
      return parseWaiting()
    }
    let used = parse(bytes)
    if used < bytes.count { unparsed.append(bytes.extracting(used...)) }
    updateReading()
  }

  func becameWritable() {
    if let pong = owedPong.take(), isOpen { stream.write { $0.appendControlFrame(.pong, pong) } }
    answer?.becameWritable()
    let callback = onRoom
    onRoom = nil
    callback?()
    parseWaiting()
  }

  /// The server stops: closes now, or once the message that is being answered is.
  func drain() { perform(state.drainBegan()) }

  func tick(at now: Duration) {
    perform(state.tick(at: now, isReading: stream.isReading, hasUnsentBytes: stream.unsentBytes > 0))
  }

  /// The connection is gone.
  func connectionClosed() {
    state.ended()
    carrier = nil
    unparsed = ByteBuffer()
    tellClosed(.abnormal)
  }

  // MARK: Input

  /// Whether nothing more is parsed until a message has been answered, or the client has read what it was sent.
  private var isFull: Bool {
    guard state.isOpen, state.phase == .answering || stream.isAboveHighWater else { return false }
    return waiting.count >= Self.maxWaitingMessages || waitingBytes + parser.messageBytes >= Self.maxWaitingBytes
  }

  private func parseWaiting() {
    // An owner may answer while it is being given the message, from inside this very loop.
    guard !isParsing, state.phase != .starting, state.phase != .ended else { return }
    let bytes = unparsed
    let used = bytes.withBytes { parse($0) }
    unparsed.consume(used)
    // Not the little memory either that an empty buffer keeps: there may be many sockets.
    if unparsed.isEmpty { unparsed = ByteBuffer() }
    updateReading()
  }

  /// Delivers messages that wait and parses until input runs out or messages must wait. Returns how much was used.
  private func parse(_ bytes: Span<UInt8>) -> Int {
    isParsing = true
    defer { isParsing = false }
    var offset = 0
    while state.phase != .ended {
      if deliver() { continue }
      if isFull { break }
      let part = parser.next(bytes, &offset)
      countArriving()
      switch part {
      case .needMore:
        if parser.isInsideMessage { state.messageContinued(heldBytes: parser.messageBytes, at: Loop.now) }
        return offset
      case .message(let text): keep(text)
      case .ping(let content): answerPing(content)
      case .pong: break
      case .close(let code): peerClosed(code)
      case .failure(let failure): fail(failure)
      }
    }
    return state.phase == .ended ? bytes.count : offset
  }

  /// Returns whether a message was delivered.
  private func deliver() -> Bool {
    guard state.phase == .idle, !stream.isAboveHighWater, let message = waiting.first else { return false }
    waiting.removeFirst()
    if waiting.isEmpty { waiting = [] }
    waitingBytes -= message.text.count
    answered = message.share
    state.messageDelivered()
    onMessage?(message)
    return true
  }

  /// Counts what came of the message that is arriving. Closes the socket if there is no room for it.
  private func countArriving() {
    let added = parser.messageBytes - arrivingBytes
    guard added > 0, state.isOpen else { return }
    guard share().grow(by: added) else { return refuseContent() }
    arrivingBytes += added
  }

  private func refuseContent() { close(.tryAgainLater, "the requests under way hold too much content") }

  private func share() -> ContentBudget.Share {
    let share = arriving ?? budget.share()
    arriving = share
    return share
  }

  private func keep(_ text: [UInt8]) {
    state.messageEnded()
    guard state.isOpen else { return }
    let share = share()
    guard share.grow(by: text.count - arrivingBytes) else { return refuseContent() }
    arriving = nil
    arrivingBytes = 0
    waiting.append(WebSocketMessage(text: text, share: share))
    waitingBytes += text.count
  }

  /// One answer is enough for all pings of a client that does not read (RFC 6455 §5.5.3).
  private func answerPing(_ content: [UInt8]) {
    guard isOpen else { return }
    if stream.isAboveHighWater {
      owedPong = content
    } else {
      stream.write { $0.appendControlFrame(.pong, content) }
    }
  }

  private func updateReading() {
    switch state.phase {
    case .starting, .ended: break
    case .idle, .answering, .closing: if isFull { stream.stopReading() } else { stream.startReading() }
    }
  }

  // MARK: End

  private func perform(_ action: WebSocketState.Action) {
    switch action {
    case .none: break
    case .ping: stream.write { $0.appendControlFrame(.ping) }
    case .close(let code, let reason): close(code, reason)
    case .abort: carrier?.close()
    }
  }

  /// RFC 6455 §5.5.1: the answer has the same code.
  private func peerClosed(_ code: WebSocketCloseCode) {
    if isOpen { sendClose(code, "") }
    end(code)
  }

  private func fail(_ failure: WebSocketFailure) {
    if isOpen { sendClose(failure.code, failure.reason) }
    end(failure.code)
  }

  private func sendClose(_ code: WebSocketCloseCode, _ reason: String) {
    stream.write { $0.appendCloseFrame(code, reason) }
  }

  private func end(_ code: WebSocketCloseCode) {
    state.ended()
    unparsed = ByteBuffer()
    tellClosed(code)
    carrier.take()?.socketEnded()
  }

  /// Tells everybody once that nothing more can be sent, and frees what was held for the owner.
  private func tellClosed(_ code: WebSocketCloseCode) {
    for share in waiting.map(\.share) + [arriving, answered].compactMap({ $0 }) { share.release() }
    (waiting, waitingBytes, arriving, arrivingBytes, answered, owedPong) = ([], 0, nil, 0, nil, nil)
    let (closed, room, answer) = (onClose, onRoom, self.answer)
    (onMessage, onClose, onRoom, self.answer) = (nil, nil, nil, nil)
    answer?.socketClosed()
    room?()
    closed?(code)
  }
}
