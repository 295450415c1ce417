// Calls to the app-server and their replies, over the pipes of its process. Owns the calls that have no reply yet.

internal import DequeModule

/// A call, rendered as the line that is sent.
struct RPCCall: Sendable {
  /// The line of a larger call is rendered on another thread: 10 MB of images would hold up the loop for ten milliseconds.
  private static let maxBytesOnLoop = 64 * 1024
  @LoopActor private static var lastID = 0

  let id: Int
  fileprivate let line: ByteBuffer

  /// Renders a call on the loop. For calls that are known to be small.
  @LoopActor init(_ method: String, _ params: JSONValue) {
    id = Self.makeID()
    line = Self.line(id: id, method, params)
  }

  private init(id: Int, line: ByteBuffer) {
    self.id = id
    self.line = line
  }

  /// Renders a call that may be large.
  @LoopActor static func rendered(_ method: String, _ params: JSONValue) async -> RPCCall {
    guard params.isLonger(than: maxBytesOnLoop) else { return RPCCall(method, params) }
    let id = makeID()
    return RPCCall(id: id, line: await Loop.offLoop { line(id: id, method, params) })
  }

  @LoopActor private static func makeID() -> Int {
    lastID += 1
    return lastID
  }

  private static func line(id: Int, _ method: String, _ params: JSONValue) -> ByteBuffer {
    RPCConnection.line(["id": .int(id), "method": .string(method), "params": params])
  }
}

/// The client's side of the app-server's protocol, over the pipes of one process.
@LoopActor
final class RPCConnection {
  /// How many calls may be unanswered; further ones wait here to be sent. With too many unanswered calls the app-server
  /// refuses calls, or even loses them.
  private static let maxUnanswered = 64
  /// How many calls may wait to be sent; further ones fail at once.
  private static let maxWaiting = 4096
  /// How many lines are kept for a process that does not read. Calls are bounded above, so further lines are answers to the
  /// process's own requests. They can be dropped, because `AppServer` notices and replaces a process that does not read.
  private static let maxUnsentLines = 4096

  typealias Completion = @LoopActor (RPCReply) -> Void

  private struct Pending {
    let timeout: Duration
    /// Counted from when the call was sent; while it waits to be sent, from when it was made.
    var deadline: Duration
    let completion: Completion
  }

  private struct Waiting {
    let call: RPCCall
    let pending: Pending
  }

  private let input: ByteStream
  /// Lines that the process has no room for yet. They are kept here because `ByteStream` would copy them, which takes
  /// milliseconds for a line of 10 MB.
  private var unsent: Deque<ByteBuffer> = []
  /// Calls that were sent and have no reply yet, by their ids.
  private var pending: [Int: Pending] = [:]
  /// Calls that wait to be sent.
  private var waiting: Deque<Waiting> = []
  private var isClosed = false
  private var ticker = Ticker()

  init(input: ByteStream) {
    self.input = input
    ticker.start(every: .seconds(1)) { [weak self] in self?.failLateCalls() }
    input.onFlushed = { [weak self] in self?.sendUnsent() }
  }

  /// Sends a call. `completion` is called exactly once: in this turn of the loop if the connection is closed, else later.
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

  /// Completes the call with this id. Returns false if there is no such call.
  func received(id: Int, _ reply: RPCReply) -> Bool {
    guard let call = pending.removeValue(forKey: id) else { return false }
    sendWaiting()
    call.completion(reply)
    return true
  }

  /// Fails all calls that have no reply. Nothing can be sent afterwards.
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

  private func failLateCalls() {
    let now = Loop.now
    // A call that was never sent has had no effect, so it fails as one that may be repeated, and not as timed out.
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
