// Calls and answers over the child's pipes. Owns the replies that are still to come.

internal import DequeModule

/// A call as the line that makes it, to be sent once.
struct RPCCall: Sendable {
  /// Beyond this much text a line is rendered beside the loop: 10 MB of images take it ten milliseconds.
  private static let maxBytesOnLoop = 64 * 1024
  @LoopActor private static var lastID = 0

  let id: Int
  fileprivate let line: ByteBuffer

  /// Renders the call on the loop, however large it is.
  @LoopActor init(_ method: String, _ params: JSONValue) {
    id = Self.makeID()
    line = Self.line(id, method, params)
  }

  private init(id: Int, line: ByteBuffer) {
    self.id = id
    self.line = line
  }

  /// Renders a call that may be large.
  @LoopActor static func rendered(_ method: String, _ params: JSONValue) async -> RPCCall {
    guard params.isLonger(than: maxBytesOnLoop) else { return RPCCall(method, params) }
    let id = makeID()
    return RPCCall(id: id, line: await Loop.offLoop { line(id, method, params) })
  }

  @LoopActor private static func makeID() -> Int {
    lastID += 1
    return lastID
  }

  private static func line(_ id: Int, _ method: String, _ params: JSONValue) -> ByteBuffer {
    RPCConnection.line(["id": .int(id), "method": .string(method), "params": params])
  }
}

/// The client's side of the app-server's protocol over one child process.
@LoopActor
final class RPCConnection {
  /// The app-server refuses or even loses calls when too many wait for an answer; more than this wait here.
  private static let maxUnanswered = 64
  /// Beyond this many waiting calls new ones fail at once.
  private static let maxWaiting = 4096
  /// Lines that wait for a child that takes none. Calls are bounded above; these are answers to what it asks itself. One
  /// that does not read is noticed and replaced (`AppServer`), so nothing is lost by not keeping them.
  private static let maxUnsentLines = 4096

  typealias Completion = @LoopActor (RPCReply) -> Void

  private struct Pending {
    let timeout: Duration
    /// Counts from the sending; while a call waits to be sent, from its making.
    var deadline: Duration
    let completion: Completion
  }

  private struct Waiting {
    let call: RPCCall
    let pending: Pending
  }

  private let input: ByteStream
  /// Lines that follow what the child has not taken yet. In the stream they would be copied, which takes milliseconds
  /// for one of 10 MB.
  private var unsent: Deque<ByteBuffer> = []
  private var pending: [Int: Pending] = [:]
  private var waiting: Deque<Waiting> = []
  private var isClosed = false
  private var ticker = Ticker()

  init(input: ByteStream) {
    self.input = input
    ticker.start(every: .seconds(1)) { [weak self] in self?.expire() }
    input.onFlushed = { [weak self] in self?.sendUnsent() }
  }

  /// Sends a call. `completion` is called exactly once, on this loop turn if the connection is closed.
  func call(_ call: RPCCall, timeout: Duration = .seconds(60), completion: @escaping Completion) {
    guard !isClosed else { return completion(.disconnected) }
    guard waiting.count < Self.maxWaiting else {
      return completion(.failure(RPCFailure.tooManyCalls))
    }
    let reply = Pending(timeout: timeout, deadline: Loop.now + timeout, completion: completion)
    if pending.count < Self.maxUnanswered {
      pending[call.id] = reply
      send(call.line)
    } else {
      waiting.append(Waiting(call: call, pending: reply))
    }
  }

  /// Sends a call that is small.
  func call(
    _ method: String, _ params: JSONValue, timeout: Duration = .seconds(60), completion: @escaping Completion
  ) {
    call(RPCCall(method, params), timeout: timeout, completion: completion)
  }

  /// Sends a call and waits for its answer.
  func call(_ method: String, _ params: JSONValue, timeout: Duration = .seconds(60)) async -> RPCReply {
    let rendered = await RPCCall.rendered(method, params)
    let reply = Waiter<RPCReply>()
    call(rendered, timeout: timeout) { reply.finish(with: $0) }
    return await reply.value()
  }

  func notify(_ method: String) {
    send(Self.line(["method": .string(method)]))
  }

  /// Answers a request of the server.
  func answer(_ id: JSONValue, result: JSONValue) {
    send(Self.line(["id": id, "result": result]))
  }

  /// Refuses a request of the server.
  func refuse(_ id: JSONValue, code: Int, message: String) {
    send(Self.line(["id": id, "error": ["code": .int(code), "message": .string(message)]]))
  }

  /// Hands an answer to whoever waits for it. Returns false if nobody does.
  func received(id: Int, _ reply: RPCReply) -> Bool {
    guard let call = pending.removeValue(forKey: id) else { return false }
    sendWaiting()
    call.completion(reply)
    return true
  }

  /// Fails everything outstanding; nothing can be sent afterwards.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    ticker.stop()
    let calls = pending.sorted { $0.key < $1.key }.map(\.value) + waiting.map(\.pending)
    pending = [:]
    waiting = []
    unsent = []
    for call in calls { call.completion(.disconnected) }
  }

  private func send(_ line: ByteBuffer) {
    guard !isClosed else { return }
    if unsent.isEmpty, canTake(line) {
      input.write(line)
    } else if unsent.count < Self.maxUnsentLines {
      unsent.append(line)
    }
  }

  private func sendUnsent() {
    while let line = unsent.first, canTake(line) { input.write(unsent.removeFirst()) }
  }

  private func canTake(_ line: ByteBuffer) -> Bool {
    input.unsentBytes == 0 || input.unsentBytes + line.count <= ByteStream.highWaterBytes
  }

  private func sendWaiting() {
    while pending.count < Self.maxUnanswered, let next = waiting.popFirst() {
      var call = next.pending
      call.deadline = Loop.now + call.timeout
      pending[next.call.id] = call
      send(next.call.line)
    }
  }

  private func expire() {
    let now = Loop.now
    // What was never sent has not been done.
    let late = waiting.filter { $0.pending.deadline <= now }
    waiting.removeAll { $0.pending.deadline <= now }
    for call in late { call.pending.completion(.failure(RPCFailure.tooManyCalls)) }
    for (id, call) in pending where call.deadline <= now { _ = received(id: id, .timedOut) }
  }

  fileprivate nonisolated static func line(_ message: JSONValue) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.append(json: message)
    buffer.append(0x0A)
    return buffer
  }
}
