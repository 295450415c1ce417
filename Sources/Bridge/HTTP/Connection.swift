// One client connection: the only place where stream, parser, state and handler task meet.
// Performs the actions of `ConnectionState`; requests are handled one after the other, so answers keep their order.

/// An HTTP/1.1 connection on the server's side.
@LoopActor
final class Connection: AnswerConnection, WebSocketCarrier {
  /// What a handler has still to do when it cannot answer without waiting.
  typealias Work = @Sendable @LoopActor () async -> Void

  /// What every connection of a server shares.
  final class Environment: Sendable {
    let limits: ConnectionState.SharedLimits
    let maxBodyBytes: Int
    let budget: ContentBudget
    /// Handles a request: it answers through the writer before it returns, or returns the work that does. Only a stream that
    /// has begun, or an answer that was marked as deferred, may be completed later still.
    let handle: @Sendable @LoopActor (Request, ResponseWriter) -> Work?
    /// Called when an answer is complete or its client is gone.
    let ended: @Sendable @LoopActor (Request, ResponseWriter) -> Void
    /// The answer to a request that could not be parsed.
    let refusal: @Sendable (HTTPError, String) -> Response

    init(
      limits: ConnectionState.Limits = ConnectionState.Limits(),
      maxBodyBytes: Int,
      budget: ContentBudget,
      handle: @escaping @Sendable @LoopActor (Request, ResponseWriter) -> Work?,
      ended: @escaping @Sendable @LoopActor (Request, ResponseWriter) -> Void = { _, _ in },
      refusal: @escaping @Sendable (HTTPError, String) -> Response
    ) {
      self.limits = ConnectionState.SharedLimits(limits)
      self.maxBodyBytes = maxBodyBytes
      self.budget = budget
      self.handle = handle
      self.ended = ended
      self.refusal = refusal
    }
  }

  /// Bytes of following requests that are kept while one is handled. Reading goes on up to there, because only reading shows
  /// that a client has left. With more, a client can make the bridge hold more; with less, a client that pipelines is closed.
  private static let maxPipelinedBytes = 1 << 20

  let stream: ByteStream
  private let environment: Environment
  private let peer: SocketAddress?
  // Unchecked: the first three are values whose methods know no objects, and the members of the last are only taken out and
  // set. The checks would cost a request a quarter of what parsing its head costs.
  @exclusivity(unchecked) private var parser = RequestParser()
  @exclusivity(unchecked) private var state: ConnectionState
  @exclusivity(unchecked) private var pending = ByteBuffer()
  @exclusivity(unchecked) private var exchange: Exchange?
  /// What the connection carries instead of requests.
  private var webSocket: WebSocket?
  private var isParsing = false
  private var stall: (writtenBytes: UInt64, since: Duration)?
  private let onClose: @LoopActor (Connection) -> Void

  /// The request being handled.
  private struct Exchange {
    let request: Request
    let writer: ResponseWriter
    var owesContinue: Bool
    var isBodyComplete: Bool
    var isHandled = false
  }

  init(
    stream: ByteStream,
    environment: Environment,
    onClose: @escaping @LoopActor (Connection) -> Void
  ) {
    self.stream = stream
    self.environment = environment
    self.onClose = onClose
    peer = stream.peerAddress
    state = ConnectionState(limits: environment.limits, now: Loop.now)
    // The stream drops these closures when it closes. They are not weak, because an object that has a weak reference is
    // slower to retain.
    stream.onRead = { self.received($0) }
    stream.onEnd = { _ in self.inputEnded() }
    stream.onWritable = {
      self.exchange?.writer.becameWritable()
      self.parsePending()
    }
    stream.onWriteFailure = { _ in self.close() }
  }

  func start() { stream.startReading() }

  /// Answers with a refusal whatever the client is about to ask, and closes.
  func turnAway(_ error: HTTPError) {
    refuse(error)
    stream.startReading()
  }

  /// Since when the connection has been waiting for a request that its client has had time to send; nil while it does
  /// anything else, which includes sending an answer.
  var idleSince: Duration? { stream.unsentBytes > 0 ? nil : state.idleSince(at: Loop.now) }

  /// Answers what is being handled, then closes; an idle connection closes at once.
  func drain() {
    perform(state.drainBegan())
    webSocket?.drain()
  }

  /// Checks the time limits. Called about once a second.
  func tick(at now: Duration) {
    if stream.unsentBytes == 0 {
      stall = nil
    } else if stall?.writtenBytes != stream.writtenBytes {
      stall = (stream.writtenBytes, now)
    }
    perform(state.tick(at: now, stalledSince: stall?.since, hasUnsentBytes: stream.unsentBytes > 0))
    webSocket?.tick(at: now)
  }

  func close() {
    guard !stream.isClosing else { return }
    state.didClose()
    stream.close()
    if let exchange {
      // First, so that the two calls that follow find the client gone.
      exchange.request.clientLeft()
      exchange.writer.connectionLost()
      exchange.request.body?.fail(.clientGone)
    }
    reportEnd()
    pending = ByteBuffer()
    webSocket.take()?.connectionClosed()
    onClose(self)
  }

  // MARK: Input

  private func received(_ bytes: Span<UInt8>) {
    if pending.isEmpty {
      let used = parse(bytes)
      if used < bytes.count, !stream.isClosing { keepForLater(bytes.extracting(used..<bytes.count)) }
    } else {
      keepForLater(bytes)
    }
  }

  /// Bytes of a later request wait here until the one before is answered.
  private func keepForLater(_ bytes: Span<UInt8>) {
    if case .lingering = state.phase { return perform(state.lingeringReceived(bytes.count)) }
    if let webSocket { return webSocket.received(bytes) }
    pending.append(bytes)
    if pending.count > Self.maxPipelinedBytes { close() }
  }

  private func parsePending() {
    // A handler may answer while it is being started, from inside this very loop.
    guard !isParsing else { return }
    while !pending.isEmpty, !stream.isClosing {
      let before = pending.count
      let bytes = pending
      let used = bytes.withBytes { parse($0) }
      pending.consume(used)
      if used == before || used == 0 { break }
      if state.isHandling { break }
    }
    if case .upgraded = state.phase { return giveWebSocketPending() }
    state.hasPipelinedInput = !pending.isEmpty
    if pending.isEmpty { perform(state.ranOutOfInput()) }
    if exchange?.request.body?.isBacklogged != true, !waitsForRoom {
      stream.startReading()
    }
  }

  /// Parses until input runs out or a request must be answered first. Returns how much was used.
  private func parse(_ bytes: Span<UInt8>) -> Int {
    isParsing = true
    defer { isParsing = false }
    var offset = 0
    while !stream.isClosing {
      switch state.phase {
      case .closed: return bytes.count
      case .lingering:
        perform(state.lingeringReceived(bytes.count - offset))
        return bytes.count
      case .upgraded: return offset
      case .handling where exchange?.isBodyComplete != false: return offset
      case .idle where waitsForRoom, .readingHead where waitsForRoom:
        stream.stopReading()
        return offset
      case .idle, .readingHead, .handling, .discarding: break
      }
      switch parser.next(bytes, &offset) {
      case .needMore:
        if parser.isInsideHead { state.headBegan(at: Loop.now) }
        return offset
      case .head(let head): begin(head)
      case .body(let range):
        state.bodyReceived(range.count)
        exchange?.request.body?.received(bytes.extracting(range))
        if exchange?.request.body?.isBacklogged == true { stream.stopReading() }
      case .end:
        exchange?.isBodyComplete = true
        exchange?.request.body?.ended()
        perform(state.bodyEnded(at: Loop.now))
        startHandler()
      case .failure(let error):
        // Nothing after it can be read; the rest is dropped.
        refuse(error)
        return bytes.count
      }
    }
    return bytes.count
  }

  /// Whether the client has so many answers to read that no further request of it is read. That it has left shows when the
  /// answers cannot be sent.
  private var waitsForRoom: Bool { stream.isAboveHighWater && !state.isHandling }

  private func begin(_ head: consuming RequestHead) {
    state.headReceived(head, at: Loop.now)
    let claimed = head.claimedID.flatMap { RandomID.isValid($0) ? $0 : nil }
    let id = claimed ?? Request.makeID()
    let body = head.framing == .none ? nil : makeBody(head.framing)
    let owesContinue = head.expectsContinue && body != nil
    let writer = ResponseWriter(connection: self, head: head, requestID: id)
    let request = Request(head: head, body: body, id: id, peer: peer, receivedAt: Loop.now)
    // A client that had closed its side before this request began is as gone as one that does it now.
    if state.hasInputEnded { request.clientLeft() }
    exchange = Exchange(
      request: consume request, writer: consume writer, owesContinue: owesContinue, isBodyComplete: false)
    if body != nil { startHandler() }
  }

  private func makeBody(_ framing: RequestHead.Framing) -> RequestBody {
    let body = RequestBody(
      framing: framing, maxBytes: environment.maxBodyBytes, share: environment.budget.share())
    body.onClaim = { self.bodyWanted() }
    return body
  }

  /// A request without a body is handled at once. The handler of a request with a body begins after this read, because how
  /// much of the body has come decides whether the connection can be kept.
  private func startHandler() {
    guard exchange?.isHandled == false, let request = exchange?.request, let writer = exchange?.writer
    else { return }
    exchange?.isHandled = true
    let handle = environment.handle
    guard request.body == nil else {
      Loop.spawn {
        await handle(request, writer)?()
        self.handled(request, writer)
      }
      return
    }
    guard let work = handle(request, writer) else { return handled(request, writer) }
    Loop.spawn {
      await work()
      self.handled(request, writer)
    }
  }

  private func handled(_ request: Request, _ writer: ResponseWriter) {
    // A handler that returns without an answer is a mistake of the bridge. The client gets an error instead of waiting.
    if !writer.hasBegun, !writer.isDeferred { writer.send(environment.refusal(.noAnswer, request.id)) }
    request.body?.share.release()
  }

  private func bodyWanted() {
    if exchange?.owesContinue == true {
      exchange?.owesContinue = false
      stream.write("HTTP/1.1 100 Continue\r\n\r\n")
    }
    stream.startReading()
  }

  private func inputEnded() {
    exchange?.request.body?.fail(.clientGone)
    perform(state.inputDidEnd())
  }

  // MARK: Output

  /// The only way a head gets onto the stream.
  func writeHead(
    status: Int, requestID: String, fields: ResponseFields, framing: ResponseEncoder.Framing, body: [UInt8]
  ) {
    var expected: Int?
    if case .length(let length)? = exchange?.request.head.framing { expected = length }
    state.hasPipelinedInput = !pending.isEmpty
    state.answerBegins(expected: expected, isAwaitingContinue: exchange?.owesContinue == true)
    if case .close = framing { state.answerNeedsClose() }
    let keepsAlive = state.willKeepAlive
    let opening = CurrentOpening.text(status: status)
    stream.write {
      ResponseEncoder.appendHead(
        to: &$0, opening: opening, requestID: requestID, fields: fields, framing: framing, keepsAlive: keepsAlive)
      $0.append(body)
    }
  }

  func upgrade(requestID: String, fields: ResponseFields) -> WebSocket? {
    guard state.upgrade() else { return nil }
    writeHead(status: 101, requestID: requestID, fields: fields, framing: .upgrade, body: [])
    let socket = WebSocket(
      stream: stream, carrier: self, limits: environment.limits, maxMessageBytes: environment.maxBodyBytes,
      budget: environment.budget)
    webSocket = socket
    stream.stopReading()
    stream.onRead = { socket.received($0) }
    stream.onWritable = { socket.becameWritable() }
    reportEnd()
    // While requests are parsed the rest of the input is given to the socket when that has ended.
    if !isParsing { giveWebSocketPending() }
    if state.isDraining { socket.drain() }
    return socket
  }

  private func giveWebSocketPending() {
    var bytes = ByteBuffer()
    swap(&bytes, &pending)
    if !bytes.isEmpty { bytes.withBytes { webSocket?.received($0) } }
  }

  func socketEnded() {
    webSocket = nil
    stream.onRead = { self.received($0) }
    stream.onWritable = nil
    perform(state.socketEnded(at: Loop.now))
  }

  func answerEnded() {
    state.hasPipelinedInput = !pending.isEmpty
    let action = state.answerEnded(at: Loop.now)
    // A body that is still arriving belongs to the parser now, not to the handler that has left.
    reportEnd()
    perform(action)
  }

  private func reportEnd() {
    guard let ended = exchange.take() else { return }
    environment.ended(ended.request, ended.writer)
  }

  private func refuse(_ error: HTTPError) {
    if let exchange {
      // The head was valid and its handler is at work, so the handler gets the error and answers.
      state.answerNeedsClose()
      exchange.request.body?.fail(error)
      stream.stopReading()
      return
    }
    let id = Request.makeID()
    let response = environment.refusal(error, id)
    state.answerNeedsClose()
    writeHead(
      status: response.status, requestID: id, fields: response.fields, framing: .length(response.body.count),
      body: response.body)
    perform(state.refused(at: Loop.now))
  }

  private func perform(_ action: ConnectionState.Action) {
    switch action {
    case .none: break
    case .readRequest: parsePending()
    case .linger:
      pending = ByteBuffer()
      stream.shutDownAfterFlush()
      stream.startReading()
    case .close:
      guard stream.unsentBytes > 0 else { return close() }
      stream.stopReading()
      stream.onFlushed = { self.close() }
    case .abort: close()
    case .cancelHandler: exchange?.request.clientLeft()
    case .refuseAsTooSlow: refuse(.requestTimeout)
    case .failBody:
      state.answerNeedsClose()
      exchange?.request.body?.fail(.requestTimeout)
    }
  }
}
