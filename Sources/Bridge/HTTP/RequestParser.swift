// Bytes to request parts. No I/O and no clock. Everything ambiguous is refused: a request that two parsers could
// read differently is how requests are smuggled, and no honest client sends one.

/// An incremental HTTP/1.1 request parser (RFC 9112).
///
/// The result does not depend on how the bytes were cut on their way.
struct RequestParser: Sendable {
  /// Bounds on what is kept before a request is understood.
  enum Limit {
    static let requestLineBytes = 8 * 1024
    static let fieldLineBytes = 16 * 1024
    static let headBytes = 32 * 1024
    static let fieldCount = 100
    static let chunkLineBytes = 256
    static let trailerBytes = 8 * 1024
  }

  enum Part {
    /// All input is used up.
    case needMore
    case head(RequestHead)
    /// A range of the input: decoded body bytes.
    case body(Range<Int>)
    case end
    /// The stream cannot be read any further.
    case failure(HTTPError)
  }

  private enum State {
    case head
    case body(ChunkedDecoder?)
    case failed(HTTPError)
  }

  private var state = State.head
  private var headBuffer: [UInt8] = []
  private var lineStart = 0
  private var requestLine: HeadSyntax.RequestLine?
  private var fieldLines: [HeadSyntax.FieldLine] = []
  private var skippedEmptyLine = false
  private var remainingLength = 0

  /// Whether bytes of a head have been seen that is not complete yet.
  var isInsideHead: Bool {
    if case .head = state { !headBuffer.isEmpty } else { false }
  }

  /// Reads the next part from `input`, starting at `offset`, and moves `offset` past what it used.
  mutating func next(_ input: Span<UInt8>, _ offset: inout Int) -> Part {
    switch state {
    case .failed(let error): return .failure(error)
    case .head:
      do throws(HTTPError) {
        guard let head = try readHead(input, &offset) else { return .needMore }
        return .head(head)
      } catch {
        return fail(error)
      }
    case .body(nil): return readLength(input, &offset)
    case .body(.some(var decoder)):
      do throws(HTTPError) {
        let part = try decoder.next(input, &offset)
        state = .body(decoder)
        if case .end = part { reset() }
        return part
      } catch {
        return fail(error)
      }
    }
  }

  private mutating func fail(_ error: HTTPError) -> Part {
    state = .failed(error)
    headBuffer = []
    return .failure(error)
  }

  private mutating func reset() {
    state = .head
    lineStart = 0
    requestLine = nil
    skippedEmptyLine = false
  }

  private mutating func readLength(_ input: Span<UInt8>, _ offset: inout Int) -> Part {
    if remainingLength == 0 {
      reset()
      return .end
    }
    guard offset < input.count else { return .needMore }
    let count = min(remainingLength, input.count - offset)
    defer { offset += count }
    remainingLength -= count
    return .body(offset..<offset + count)
  }

  // MARK: Head

  private mutating func readHead(_ input: Span<UInt8>, _ offset: inout Int) throws(HTTPError) -> RequestHead? {
    while let lineFeed = input.firstIndex(of: 0x0A, from: offset) {
      headBuffer.append(input.extracting(offset..<lineFeed + 1))
      offset = lineFeed + 1
      let line = lineStart..<headBuffer.count
      try checkSize(lineBytes: line.count)
      guard line.count >= 2, headBuffer[line.upperBound - 2] == 0x0D else {
        throw .badRequest("a line ends without a carriage return")
      }
      lineStart = headBuffer.count
      if try readLine(line.lowerBound..<line.upperBound - 2) { return try finishHead() }
    }
    headBuffer.append(input.extracting(offset..<input.count))
    offset = input.count
    try checkSize(lineBytes: headBuffer.count - lineStart)
    return nil
  }

  /// Sizes are checked before syntax and on unfinished lines too, so that the answer does not depend on the cuts.
  private func checkSize(lineBytes: Int) throws(HTTPError) {
    if requestLine == nil {
      if lineBytes > Limit.requestLineBytes { throw .uriTooLong }
    } else if lineBytes > Limit.fieldLineBytes || headBuffer.count > Limit.headBytes {
      throw .headTooLarge
    }
  }

  /// Takes one line without its end. Returns whether the head is complete.
  private mutating func readLine(_ line: Range<Int>) throws(HTTPError) -> Bool {
    guard requestLine != nil else {
      if line.isEmpty {
        // RFC 9112 §2.2: an empty line before the request line is ignored. One, not any number.
        guard !skippedEmptyLine else { throw .badRequest("empty lines before the request line") }
        skippedEmptyLine = true
        headBuffer.removeAll(keepingCapacity: true)
        lineStart = 0
        return false
      }
      requestLine = try HeadSyntax.requestLine(headBuffer[line])
      return false
    }
    if line.isEmpty { return true }
    guard fieldLines.count < Limit.fieldCount else { throw .headTooLarge }
    fieldLines.append(try HeadSyntax.fieldLine(headBuffer[line]))
    return false
  }

  private mutating func finishHead() throws(HTTPError) -> RequestHead {
    let bytes = headBuffer
    let lines = fieldLines
    headBuffer = []
    fieldLines = []
    guard let requestLine else { throw .badRequest("no request line") }
    let head = try HeadSyntax.head(bytes, requestLine: requestLine, fieldLines: lines)
    switch head.framing {
    case .none: remainingLength = 0
    case .length(let length): remainingLength = length
    case .chunked: break
    }
    state = .body(head.framing == .chunked ? ChunkedDecoder() : nil)
    return head
  }
}
