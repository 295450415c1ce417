// The handler's side of an answer: one head, then bytes with backpressure. A second head is impossible.

/// What a writer needs of the connection that its answer goes to.
@LoopActor
protocol AnswerConnection: AnyObject {
  var stream: ByteStream { get }
  /// Writes a head, with `body` right behind it.
  func writeHead(
    status: Int, requestID: String, fields: ResponseFields, framing: ResponseEncoder.Framing, body: [UInt8])
  /// Writes the head of an answer with the status 101. Nil if nothing can follow it, because its client is gone.
  func upgrade(requestID: String, fields: ResponseFields) -> WebSocket?
  /// Called when the last byte of the answer is queued.
  func answerEnded()
  func close()
}

/// Answers one request, once: whole with `send`, or as a stream.
@LoopActor
final class ResponseWriter {
  private enum State { case waiting, streaming(ResponseEncoder.Framing), ended, gone }

  private var state = State.waiting
  /// Nil once the answer has ended or the client is gone.
  private var connection: (any AnswerConnection)?
  private let stream: ByteStream
  private let isHead: Bool
  /// Whether what is written has frames of its own.
  private let isFramed: Bool
  /// How the end of an answer is told whose length is not known when it begins.
  private let streamFraming: ResponseEncoder.Framing
  private let requestID: String
  private var onRoom: (@LoopActor () -> Void)?
  /// Fields that the answer gets whatever the handler sends, such as those for browsers.
  var extraFields: ResponseFields = [:]
  /// Set by a handler that returns before it has answered, when other code answers later.
  var isDeferred = false
  /// The status that was sent, nil before.
  private(set) var status: Int?

  init(connection: any AnswerConnection, head: borrowing RequestHead, requestID: String) {
    self.connection = connection
    stream = connection.stream
    isHead = head.method == "HEAD"
    isFramed = false
    // An HTTP/1.0 client does not know chunks; for it the end of the connection is the end of the body.
    streamFraming = head.minorVersion == 0 ? .close : .chunked
    self.requestID = requestID
  }

  /// A writer whose answer goes out as it is written: what is written has its own frames.
  init(framed connection: any AnswerConnection, requestID: String) {
    self.connection = connection
    stream = connection.stream
    isHead = false
    isFramed = true
    streamFraming = .close
    self.requestID = requestID
  }

  var hasBegun: Bool {
    if case .waiting = state { false } else { true }
  }

  /// Whether nobody will read what is written.
  var isGone: Bool {
    if case .gone = state { true } else { false }
  }

  /// Sends a whole answer. Does nothing if one was begun, or the client is gone.
  func send(_ response: Response) {
    guard case .waiting = state, let connection else { return }
    status = response.status
    let hasNoBody = response.status == 204 || response.status == 304
    connection.writeHead(
      status: response.status, requestID: requestID, fields: extraFields.appending(response.fields),
      framing: hasNoBody ? .none : .length(response.body.count), body: isHead || hasNoBody ? [] : response.body)
    end()
  }

  /// Answers with 101 and turns the connection into a WebSocket, which reads nothing before its `start`. Nil if an answer was
  /// begun, or the client is gone.
  func upgrade(_ handshake: WebSocketHandshake) -> WebSocket? {
    guard case .waiting = state, let connection else { return nil }
    status = 101
    guard let socket = connection.upgrade(requestID: requestID, fields: extraFields.appending(handshake.fields))
    else {
      status = nil
      abort()
      return nil
    }
    (state, self.connection) = (.ended, nil)
    return socket
  }

  /// Sends the head of an answer whose length is not known yet. It leaves before the loop blocks.
  func begin(status: Int, fields: ResponseFields) {
    guard case .waiting = state, let connection else { return }
    self.status = status
    connection.writeHead(
      status: status, requestID: requestID, fields: extraFields.appending(fields), framing: streamFraming, body: []
    )
    state = .streaming(streamFraming)
  }

  /// Writes a part of a streamed body: what `fill` appends. `fill` is run also when nobody will read the part. Returns
  /// whether it appended something.
  @discardableResult @inline(__always)
  func write(_ fill: (inout ByteBuffer) -> Void) -> Bool {
    guard case .streaming(let framing) = state, !isHead, stream.canWrite else {
      var unread = ByteBuffer()
      fill(&unread)
      return !unread.isEmpty
    }
    return stream.write { Self.append(framing, to: &$0, fill) }
  }

  /// The same with bytes that are there already.
  func write(_ part: ByteBuffer) {
    write { output in part.withBytes { output.append($0) } }
  }

  /// Writes a comment of an event stream, for a client that would else get nothing for long. A WebSocket has no comments, and
  /// asks for itself whether its client is there.
  func write(comment: String) {
    if !isFramed { write { $0.append(comment: comment) } }
  }

  /// Writes the last part, if there is one, and the end of the body in one piece, so that a client that stops reading
  /// at the last event has the end of the body too.
  func finish(_ fill: (inout ByteBuffer) -> Void = { _ in }) {
    guard case .streaming(let framing) = state else { return }
    if !isHead {
      stream.write { output in
        Self.append(framing, to: &output, fill)
        if case .chunked = framing { output.append("0\r\n\r\n") }
      }
    }
    end()
  }

  /// Sends what was written without waiting for the end of the loop turn.
  func flush() { stream.flushIfDirty() }

  /// Suspends while more is unsent than the stream's high-water mark.
  func waitForRoom() async {
    guard hasNoRoom else { return }
    let room = Waiter<Void>()
    whenRoom { room.finish() }
    await room.value()
  }

  /// Calls `callback` once there is room: at once if there is, and also when nobody will read any more. Only one callback may
  /// wait at a time.
  func whenRoom(_ callback: @escaping @LoopActor () -> Void) {
    if hasNoRoom { onRoom = callback } else { callback() }
  }

  /// Whether a writer should wait before it writes more.
  var hasNoRoom: Bool {
    guard case .streaming = state else { return false }
    return stream.isAboveHighWater
  }

  /// Called by the connection when there is room again.
  func becameWritable() {
    let callback = onRoom
    onRoom = nil
    callback?()
  }

  /// Called by the connection when the client cannot be reached any more.
  func connectionLost() {
    connection = nil
    if case .ended = state { return }
    state = .gone
    becameWritable()
  }

  /// Ends the connection without the end of the body, so that the client can tell a cut answer from a whole one.
  func abort() {
    guard let connection else { return }
    connectionLost()
    connection.close()
  }

  private func end() {
    state = .ended
    // The connection sends the rest by itself. Whoever waits for room is called now, because nothing would call it later.
    becameWritable()
    connection.take()?.answerEnded()
  }

  @inline(__always)
  private static func append(
    _ framing: ResponseEncoder.Framing, to output: inout ByteBuffer, _ fill: (inout ByteBuffer) -> Void
  ) {
    if case .chunked = framing { output.appendChunk(fill) } else { fill(&output) }
  }
}
