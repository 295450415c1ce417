// Bytes to request parts. No I/O and no clock. Everything ambiguous is refused: a request that two parsers could
// read differently is how requests are smuggled, and no honest client sends one.

/// An incremental HTTP/1.1 request parser (RFC 9112).
///
/// The result does not depend on how the bytes were cut on their way.
struct RequestParser: Sendable {
  /// Bounds on what is kept before a request is understood. With more, each connection can hold more memory; with less, real
  /// clients with long cookies or paths are refused.
  enum Limit {
    static let requestLineBytes = 8 * 1024
    static let fieldLineBytes = 16 * 1024
    static let headBytes = 32 * 1024
    static let fieldCount = 100
  }

  /// A head is copied from the input in pieces of so many bytes. With more, more of what follows the head is copied for
  /// nothing; with less, a head needs more pieces.
  private static let pieceBytes = 1024
  private static let usualFieldCount = 8

  private enum State {
    case head
    case body(ChunkedDecoder?)
    case failed(HTTPError)
  }

  private var state = State.head
  private var headBuffer: [UInt8] = []
  private var lineStart = 0
  private var requestLine: HeadSyntax.RequestLine?
  private var fieldLines: [HeaderFields.Line] = []
  private var skippedEmptyLine = false
  private var remainingLength = 0

  /// Whether bytes of a head have been seen that is not complete yet.
  var isInsideHead: Bool {
    if case .head = state { requestLine != nil || headBuffer.count > lineStart } else { false }
  }

  /// Reads the next part from `input`, starting at `offset`, and moves `offset` past what it used.
  mutating func next(_ input: Span<UInt8>, _ offset: inout Int) -> RequestPart {
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

  private mutating func fail(_ error: HTTPError) -> RequestPart {
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

  private mutating func readLength(_ input: Span<UInt8>, _ offset: inout Int) -> RequestPart {
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
    while offset < input.count {
      let end = min(offset + Self.pieceBytes, input.count)
      var searched = headBuffer.count
      headBuffer.append(input.extracting(offset..<end))
      offset = end
      while let lineFeed = headBuffer.span.firstIndex(of: 0x0A, from: searched) {
        searched = lineFeed + 1
        let line = lineStart..<searched
        try checkLine(line)
        guard line.count >= 2, headBuffer[line.upperBound - 2] == 0x0D else {
          throw .badRequest("a line ends without a carriage return")
        }
        lineStart = searched
        if try readLine(line.lowerBound..<line.upperBound - 2) {
          offset -= headBuffer.count - searched
          return try finishHead(searched)
        }
      }
      try checkLine(lineStart..<headBuffer.count)
    }
    return nil
  }

  /// The beginning of a request and sizes are checked before all other syntax and on unfinished lines too, so that the
  /// answer does not depend on the cuts.
  private func checkLine(_ line: Range<Int>) throws(HTTPError) {
    if requestLine == nil {
      try HeadSyntax.checkBeginning(headBuffer.span.extracting(line))
      if line.count > Limit.requestLineBytes { throw .uriTooLong }
    } else if line.count > Limit.fieldLineBytes || line.upperBound > Limit.headBytes {
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
        return false
      }
      requestLine = try HeadSyntax.requestLine(headBuffer.span, line)
      return false
    }
    if line.isEmpty { return true }
    guard fieldLines.count < Limit.fieldCount else { throw .headTooLarge }
    if fieldLines.isEmpty { fieldLines.reserveCapacity(Self.usualFieldCount) }
    fieldLines.append(try HeadSyntax.fieldLine(headBuffer.span, line))
    return false
  }

  private mutating func finishHead(_ end: Int) throws(HTTPError) -> RequestHead {
    guard let requestLine else { throw .badRequest("no request line") }
    var bytes: [UInt8] = []
    var lines: [HeaderFields.Line] = []
    swap(&bytes, &headBuffer)
    swap(&lines, &fieldLines)
    // Without this, bytes that follow the head would be kept as long as the head.
    if end < bytes.count { bytes = Array(bytes[..<end]) }
    let head = try HeadSyntax.head(requestLine, HeaderFields(bytes: consume bytes, lines: consume lines))
    switch head.framing {
    case .none: remainingLength = 0
    case .length(let length): remainingLength = length
    case .chunked: break
    }
    state = .body(head.framing == .chunked ? ChunkedDecoder() : nil)
    return head
  }
}
