// The answer to one message of a WebSocket, made with the same request and writer as the answer to a request of HTTP.

/// Takes what a `ResponseWriter` writes to a socket: a stream as it is, because its frames are made by whoever writes it, and
/// a whole answer, such as a refusal, as one text frame.
@LoopActor
final class WebSocketAnswer: AnswerConnection, WebSocketAnswering {
  /// How the messages of a socket are answered.
  struct Handling: Sendable {
    /// Handles a message as a request whose body it is. It answers through the writer before it returns, or marks the answer
    /// as deferred, or has begun a stream.
    let handle: @Sendable @LoopActor (Request, ResponseWriter) async -> Void
    /// Appends the text that tells an answer which was sent whole.
    let appendWhole: @Sendable @LoopActor (Response, inout ByteBuffer) -> Void
    /// Called when an answer is complete or its client is gone.
    let ended: @Sendable @LoopActor (Request, ResponseWriter) -> Void
    /// The answer when a handler gives none.
    let refusal: @Sendable (HTTPError, String) -> Response
  }

  private let socket: WebSocket
  private let request: Request
  private let handling: Handling
  private var writer: ResponseWriter?

  fileprivate init(_ socket: WebSocket, _ request: Request, _ handling: Handling) {
    self.socket = socket
    self.request = request
    self.handling = handling
  }

  var stream: ByteStream { socket.stream }

  fileprivate func start() {
    let writer = ResponseWriter(framed: self, requestID: request.id)
    self.writer = writer
    let (request, handling) = (request, handling)
    socket.began(self)
    Loop.spawn {
      await handling.handle(request, writer)
      if !writer.hasBegun, !writer.isDeferred { writer.send(handling.refusal(.noAnswer, request.id)) }
      request.body?.share.release()
    }
  }

  /// Nothing for a stream: a WebSocket knows neither status nor fields.
  func writeHead(
    status: Int, requestID: String, fields: ResponseFields, framing: ResponseEncoder.Framing, body: [UInt8]
  ) {
    if case .close = framing { return }
    socket.send { handling.appendWhole(Response(status: status, fields: fields, body: body), &$0) }
  }

  /// A WebSocket turns into nothing else.
  func upgrade(requestID: String, fields: ResponseFields) -> WebSocket? { nil }

  func answerEnded() {
    reportEnd()
    socket.messageAnswered()
  }

  /// The answer is cut: only the end of the socket tells its client.
  func close() { socket.close(.internalError, "the answer was cut off") }

  func becameWritable() { writer?.becameWritable() }

  func socketClosed() {
    // First, so that the two calls that follow find the client gone.
    request.clientLeft()
    writer?.connectionLost()
    reportEnd()
  }

  private func reportEnd() {
    if let writer = writer.take() { handling.ended(request, writer) }
  }
}

extension WebSocket {
  /// Answers a message with the request that has asked for the socket, as if it had been sent again with the message as its
  /// body. The next message comes when the answer has ended.
  func answer(_ message: WebSocketMessage, as asked: Request, with handling: WebSocketAnswer.Handling) {
    let request = Request(
      head: asked.head, body: RequestBody(complete: message.text, share: message.share), id: Request.makeID(),
      peer: asked.peer, receivedAt: Loop.now)
    request.principal = asked.principal
    request.profile = asked.profile
    request.counts = asked.counts
    WebSocketAnswer(self, request, handling).start()
  }
}
