// A raw HTTP client for wire tests: bytes out, bytes in, no opinion about either.

@testable import Bridge

/// A TCP connection that gathers everything it receives.
@LoopActor
final class TestClient {
  private let stream: ByteStream
  private(set) var received: [UInt8] = []
  /// What each read brought: bytes that the server wrote together come together on loopback.
  private(set) var reads: [[UInt8]] = []
  private var isEnded = false
  private var change = Waiter<Void>()

  private init(_ stream: ByteStream) {
    self.stream = stream
    stream.onRead = { [weak self] in self?.didReceive($0.array) }
    stream.onEnd = { [weak self] _ in self?.didEnd() }
    stream.onWriteFailure = { [weak self] _ in self?.didEnd() }
    stream.startReading()
  }

  /// Connects to a loopback port.
  static func connect(port: Int) async throws -> TestClient {
    let addresses = try SocketAddress.resolve(host: "127.0.0.1", port: port)
    return TestClient(try await ByteStream.connect(to: addresses[0]))
  }

  /// Sends `request` on a connection of its own and returns its answer, nil if none came.
  static func exchange(port: Int, _ request: String, isHead: Bool = false) async throws -> TestResponse? {
    let client = try await connect(port: port)
    defer { client.close() }
    client.send(request)
    await client.wait(forBytes: { !TestResponse.parse(bytes: $0, isHead: isHead).isEmpty })
    return TestResponse.parse(bytes: client.received, isHead: isHead, isEnded: client.hasEnded).first
  }

  /// Sends text; it leaves before the loop blocks.
  func send(_ text: String) { stream.write(text) }

  func send(_ bytes: [UInt8]) { stream.write(bytes.span) }

  /// Sends text in two writes, the second one only after the server has had time to read the first.
  func send(_ text: String, cutAt index: Int) async {
    let bytes = Array(text.utf8)
    send(Array(bytes[..<index]))
    for _ in 0..<4 { await Loop.nextTurn() }
    send(Array(bytes[index...]))
  }

  /// Half-closes: nothing more will be sent.
  func finishSending() { stream.shutDownAfterFlush() }

  /// Stops and resumes reading, as a slow client does.
  func pauseReading() { stream.stopReading() }
  func resumeReading() { stream.startReading() }

  /// Bytes that the server has not taken yet.
  var unsentBytes: Int { stream.unsentBytes }

  func close() { stream.close() }

  /// Everything received so far.
  var text: String { String(decoding: received, as: UTF8.self) }

  /// Whether the server has closed its side.
  var hasEnded: Bool { isEnded }

  /// Waits until `condition` holds for everything received, the server closes, or a minute has passed.
  @discardableResult
  func wait(until condition: (String) -> Bool) async -> String {
    await wait(forBytes: { condition(String(decoding: $0, as: UTF8.self)) })
    return text
  }

  /// The same on bytes, for large answers.
  func wait(forBytes condition: ([UInt8]) -> Bool) async {
    if condition(received) || isEnded { return }
    // See `eventually`.
    await Loop.nextTurn()
    let deadline = Loop.now + .seconds(60)
    while !condition(received), !isEnded, Loop.now < deadline {
      change = Waiter<Void>()
      let timer = LoopTimer { [change] in change.finish() }
      timer.start(after: .seconds(1))
      await change.value()
      timer.close()
    }
  }

  /// Waits until the server closes.
  @discardableResult
  func waitForEnd() async -> String {
    await wait(forBytes: { _ in false })
    return text
  }

  /// Waits for `count` whole responses and returns them.
  @discardableResult
  func responses(_ count: Int) async -> [TestResponse] {
    await wait(forBytes: { TestResponse.parse(bytes: $0).count >= count })
    return TestResponse.parse(bytes: received, isEnded: isEnded)
  }

  private func didReceive(_ bytes: [UInt8]) {
    received += bytes
    reads.append(bytes)
    change.finish()
  }

  private func didEnd() {
    isEnded = true
    change.finish()
  }
}

/// A response as a test looks at it.
struct TestResponse: Sendable {
  let status: Int
  let head: String
  /// The body, decoded if it was chunked.
  let body: String
  /// The chunks of a chunked body, the last one (of size 0) left out.
  var chunks: [String] = []

  /// All complete responses at the start of `text`, interim ones left out.
  static func parse(_ text: String) -> [TestResponse] { parse(bytes: Array(text.utf8)) }

  /// The same for bytes. `isHead`: the requests were HEAD. `isEnded`: the server has closed, which ends a body
  /// that has no other end.
  static func parse(bytes: [UInt8], isHead: Bool = false, isEnded: Bool = false) -> [TestResponse] {
    var result: [TestResponse] = []
    var rest = bytes[...]
    while let (response, used) = first(rest, isHead: isHead, isEnded: isEnded) {
      if response.status >= 200 { result.append(response) }
      rest = rest.dropFirst(used)
    }
    return result
  }

  /// The value of a header field, by its name in any case.
  func field(_ name: String) -> String? { fields(name).first }

  /// All values of a header field.
  func fields(_ name: String) -> [String] {
    head.split(separator: "\r\n").compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 && parts[0].lowercased() == name.lowercased() ? parts[1].trimmingSpaces() : nil
    }
  }

  /// The body as JSON, null if it is none.
  var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

  /// `error.code` and so on of an error body.
  func error(_ key: String) -> JSONValue? { json["error"]?[key] }

  private static func first(
    _ bytes: ArraySlice<UInt8>, isHead: Bool, isEnded: Bool
  ) -> (TestResponse, Int)? {
    guard let end = headEnd(bytes) else { return nil }
    let head = String(decoding: bytes[bytes.startIndex..<end], as: UTF8.self)
    guard let status = Int(head.dropFirst(9).prefix(3)) else { return nil }
    let empty = TestResponse(status: status, head: head, body: "")
    let bodyStart = end + 4
    guard status >= 200, status != 204, status != 304, !isHead else {
      return (empty, bodyStart - bytes.startIndex)
    }
    if empty.field("transfer-encoding")?.lowercased() == "chunked" {
      guard let (chunks, bodyEnd) = chunks(bytes[bodyStart...]) else { return nil }
      let texts = chunks.map { String(decoding: $0, as: UTF8.self) }
      // Not `joined()`, which takes a microsecond a byte without optimisation.
      let body = String(decoding: chunks.reduce(into: [UInt8]()) { $0 += $1 }, as: UTF8.self)
      return (TestResponse(status: status, head: head, body: body, chunks: texts), bodyEnd - bytes.startIndex)
    }
    guard
      let length = empty.field("content-length").map({ Int($0) ?? 0 })
        ?? (isEnded ? bytes.endIndex - bodyStart : nil)
    else { return nil }
    guard bodyStart + length <= bytes.endIndex else { return nil }
    let body = String(decoding: bytes[bodyStart..<bodyStart + length], as: UTF8.self)
    return (TestResponse(status: status, head: head, body: body), bodyStart + length - bytes.startIndex)
  }

  /// The chunks up to the last one, and where the body ends; nil if it is not complete or badly framed.
  private static func chunks(_ bytes: ArraySlice<UInt8>) -> ([ArraySlice<UInt8>], Int)? {
    var result: [ArraySlice<UInt8>] = []
    var rest = bytes
    while let lineFeed = rest.firstOffset(of: "\n"), lineFeed > rest.startIndex, rest[lineFeed - 1] == 13,
      let size = Int(String(decoding: rest[rest.startIndex..<lineFeed - 1], as: UTF8.self), radix: 16)
    {
      let dataEnd = lineFeed + 1 + size
      guard dataEnd + 2 <= rest.endIndex, rest[dataEnd] == 13, rest[dataEnd + 1] == 10 else { return nil }
      if size == 0 { return (result, dataEnd + 2) }
      result.append(rest[lineFeed + 1..<dataEnd])
      rest = rest[(dataEnd + 2)...]
    }
    return nil
  }

  private static func headEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
    bytes.firstOffset(of: "\r\n\r\n")
  }
}
