// Calls and answers over the child's pipes. Owns the replies that are still to come.

internal import DequeModule

/// The client's side of the app-server's protocol over one child process.
@LoopActor
final class RPCConnection {
  /// The app-server refuses or even loses calls when too many wait for an answer; more than this wait here.
  private static let maxUnanswered = 64
  /// Beyond this many waiting calls new ones fail at once.
  private static let maxWaiting = 4096

  typealias Completion = @LoopActor (RPCReply) -> Void

  private struct Pending {
    let timeout: Duration
    /// Counts from the sending; while a call waits to be sent, from its making.
    var deadline: Duration
    let completion: Completion
  }

  private struct Waiting {
    let id: Int
    let line: ByteBuffer
    let pending: Pending
  }

  private let input: ByteStream
  private var nextID = 1
  private var pending: [Int: Pending] = [:]
  private var waiting: Deque<Waiting> = []
  private var isClosed = false
  private var timer: LoopTimer?

  init(input: ByteStream) {
    self.input = input
    let timer = LoopTimer { [weak self] in self?.expire() }
    timer.start(after: .seconds(1), repeating: .seconds(1))
    self.timer = timer
  }

  /// Sends a call. `completion` is called exactly once, on this loop turn if the connection is closed.
  func call(
    _ method: String,
    _ params: JSONValue,
    timeout: Duration = .seconds(60),
    completion: @escaping Completion
  ) {
    guard !isClosed else { return completion(.disconnected) }
    guard waiting.count < Self.maxWaiting else {
      return completion(.failure(RPCFailure.tooManyCalls))
    }
    let id = nextID
    nextID += 1
    let line = Self.line(["id": .int(id), "method": .string(method), "params": params])
    let call = Pending(timeout: timeout, deadline: Loop.now + timeout, completion: completion)
    if pending.count < Self.maxUnanswered {
      pending[id] = call
      send(line)
    } else {
      waiting.append(Waiting(id: id, line: line, pending: call))
    }
  }

  /// Sends a call and waits for its answer.
  func call(_ method: String, _ params: JSONValue, timeout: Duration = .seconds(60)) async -> RPCReply {
    await withUnsafeContinuation { continuation in
      call(method, params, timeout: timeout) { continuation.resume(returning: $0) }
    }
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
    timer?.close()
    timer = nil
    let calls = pending.sorted { $0.key < $1.key }.map(\.value) + waiting.map(\.pending)
    pending = [:]
    waiting = []
    for call in calls { call.completion(.disconnected) }
  }

  private func send(_ line: ByteBuffer) {
    guard !isClosed else { return }
    input.write(line)
  }

  private func sendWaiting() {
    while pending.count < Self.maxUnanswered, let next = waiting.popFirst() {
      var call = next.pending
      call.deadline = Loop.now + call.timeout
      pending[next.id] = call
      send(next.line)
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

  private static func line(_ message: JSONValue) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.append(json: message)
    buffer.append(0x0A)
    return buffer
  }
}
