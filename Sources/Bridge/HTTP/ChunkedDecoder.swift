// The chunked transfer coding, decoded in place.

/// Decodes a chunked body (RFC 9112 §7.1), strictly: CRLF only, plain hexadecimal sizes.
struct ChunkedDecoder: Sendable {
  /// Bounds on what may come besides the data. No client that is known sends a tenth of them; with more, a client could
  /// keep the bridge reading without sending anything.
  enum Limit {
    /// The line with a chunk's size, extensions and line end included.
    static let lineBytes = 256
    /// All trailer lines together.
    static let trailerBytes = 8 * 1024
  }

  /// Hexadecimal digits of a size; more could overflow.
  private static let maxSizeDigits = 15

  private enum State: Sendable {
    case sizeLine
    case data(remaining: Int)
    case dataEnd
    case trailer
  }

  private var state = State.sizeLine
  private var line: [UInt8] = []
  private var trailerBytes = 0

  /// Reads the next part; only `.body`, `.end` and `.needMore` are returned.
  mutating func next(_ input: Span<UInt8>, _ offset: inout Int) throws(HTTPError) -> RequestPart {
    while true {
      switch state {
      case .sizeLine:
        guard try readLine(input, &offset, limit: Limit.lineBytes) else { return .needMore }
        let size = try Self.size(of: line)
        line.removeAll(keepingCapacity: true)
        state = size == 0 ? .trailer : .data(remaining: size)
      case .data(let remaining):
        guard offset < input.count else { return .needMore }
        let count = min(remaining, input.count - offset)
        let range = offset..<offset + count
        offset += count
        state = count == remaining ? .dataEnd : .data(remaining: remaining - count)
        return .body(range)
      case .dataEnd:
        // Only CRLF may follow: anything else means that sender and reader disagree about the size.
        guard try readLine(input, &offset, limit: 2) else { return .needMore }
        guard line.isEmpty else { throw .badRequest("a chunk is longer than its size says") }
        state = .sizeLine
      case .trailer:
        let limit = Limit.trailerBytes - trailerBytes
        guard try readLine(input, &offset, limit: limit) else { return .needMore }
        if line.isEmpty { return .end }
        trailerBytes += line.count + 2
        try Self.checkTrailer(line)
        line.removeAll(keepingCapacity: true)
      }
    }
  }

  /// Gathers a line that may come in pieces; true when it is complete and its CRLF removed.
  private mutating func readLine(
    _ input: Span<UInt8>,
    _ offset: inout Int,
    limit: Int
  ) throws(HTTPError) -> Bool {
    while offset < input.count {
      let byte = input[offset]
      offset += 1
      line.append(byte)
      guard line.count <= limit else { throw .badRequest("a chunk line is too long") }
      if byte == 0x0A {
        guard line.count >= 2, line[line.count - 2] == 0x0D else {
          throw .badRequest("a chunk line ends without a carriage return")
        }
        line.removeLast(2)
        return true
      }
      // A carriage return must be followed by a line feed at once.
      guard line.count < 2 || line[line.count - 2] != 0x0D else {
        throw .badRequest("a bare carriage return in a chunk line")
      }
    }
    return false
  }

  /// Trailers are dropped; one that would frame the message is from a sender that means something else by it
  /// (RFC 9110 §6.5.1).
  private static func checkTrailer(_ line: [UInt8]) throws(HTTPError) {
    let name = try HeadSyntax.fieldLine(line.span, line.indices).name
    switch String(decoding: line[name], as: UTF8.self).lowercased() {
    case "content-length", "transfer-encoding": throw .badRequest("a trailer frames the body")
    default: break
    }
  }

  private static func size(of line: [UInt8]) throws(HTTPError) -> Int {
    let digits = line.prefix { $0.hexValue != nil }
    guard !digits.isEmpty, digits.count <= maxSizeDigits,
      let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw .badRequest("a chunk size is not a plain hexadecimal number") }
    let rest = line[digits.endIndex...]
    guard rest.isEmpty || rest.first == UInt8(ascii: ";") else {
      throw .badRequest("a chunk size is followed by something else than an extension")
    }
    guard rest.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
      throw .badRequest("a chunk extension contains a control character")
    }
    return size
  }
}
