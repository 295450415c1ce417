// A pull scanner over JSON bytes: steps over tokens in place without building values.
// Holds only an offset; the bytes are passed to each call.

/// What is wrong with a JSON text, and where.
struct JSONError: Error, Equatable, CustomStringConvertible {
  let reason: String
  /// Byte offset in the text.
  let offset: Int
  /// The text may be JSON, but there is too much of it to be taken.
  var isExcess = false

  var description: String { "\(reason) at byte \(offset)" }
}

/// Steps through JSON text (RFC 8259), strictly.
///
/// The steps of a byte or two are inlined: called, they cost more than what they do, and a token takes a hundred.
struct JSONScanner {
  /// Deeper nesting is refused: it is never meant well, and the engine's own parser stops at 127.
  static let maxDepth = 100

  private(set) var offset = 0

  init(at offset: Int = 0) { self.offset = offset }

  func fail(_ reason: String) -> JSONError { JSONError(reason: reason, offset: offset) }

  /// For text that may be well-formed and is not taken all the same.
  func excess(_ reason: String) -> JSONError { JSONError(reason: reason, offset: offset, isExcess: true) }

  var tooDeep: JSONError { excess("nested too deeply (more than \(Self.maxDepth) levels)") }

  @inline(__always)
  mutating func skipWhitespace(_ bytes: Span<UInt8>) {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x0A, 0x0D, 0x09: offset += 1
      default: return
      }
    }
  }

  /// The next byte that is no white space, without consuming it.
  @inline(__always)
  mutating func peek(_ bytes: Span<UInt8>) throws(JSONError) -> UInt8 {
    skipWhitespace(bytes)
    guard offset < bytes.count else { throw fail("the JSON text ends early") }
    return bytes[offset]
  }

  /// Consumes `byte` if it comes next.
  @inline(__always)
  mutating func take(_ byte: UInt8, _ bytes: Span<UInt8>) throws(JSONError) -> Bool {
    guard try peek(bytes) == byte else { return false }
    offset += 1
    return true
  }

  @inline(__always)
  mutating func expect(_ byte: UInt8, _ bytes: Span<UInt8>) throws(JSONError) {
    guard try take(byte, bytes) else {
      throw fail("expected “\(Character(UnicodeScalar(byte)))”")
    }
  }

  /// Steps over a string and returns the range between its quotes, still escaped.
  mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> (range: Range<Int>, hasEscapes: Bool) {
    try expect(0x22, bytes)
    let start = offset
    var hasEscapes = false
    while true {
      offset = Self.plainRun(bytes, from: offset).end
      guard offset < bytes.count else { throw fail("a string does not end") }
      switch bytes[offset] {
      case 0x22:
        let range = start..<offset
        offset += 1
        return (range, hasEscapes)
      case 0x5C:
        hasEscapes = true
        guard offset + 1 < bytes.count else { throw fail("a string does not end") }
        offset += 2
      default:
        throw fail("a control character in a string")
      }
    }
  }

  /// Steps over any value.
  mutating func skipValue(_ bytes: Span<UInt8>, depth: Int = 0) throws(JSONError) {
    guard depth <= Self.maxDepth else { throw tooDeep }
    switch try peek(bytes) {
    case 0x22:
      _ = try string(bytes)
    case 0x7B:
      offset += 1
      if try take(0x7D, bytes) { return }
      repeat {
        _ = try string(bytes)
        try expect(0x3A, bytes)
        try skipValue(bytes, depth: depth + 1)
      } while try take(0x2C, bytes)
      try expect(0x7D, bytes)
    case 0x5B:
      offset += 1
      if try take(0x5D, bytes) { return }
      repeat {
        try skipValue(bytes, depth: depth + 1)
      } while try take(0x2C, bytes)
      try expect(0x5D, bytes)
    default:
      _ = try scalar(bytes)
    }
  }

  /// Steps over `true`, `false`, `null` or a number and returns its range.
  mutating func scalar(_ bytes: Span<UInt8>) throws(JSONError) -> Range<Int> {
    let start = offset
    switch bytes[offset] {
    case 0x74: try literal("true", bytes)
    case 0x66: try literal("false", bytes)
    case 0x6E: try literal("null", bytes)
    default: try number(bytes)
    }
    return start..<offset
  }

  private mutating func literal(_ text: StaticString, _ bytes: Span<UInt8>) throws(JSONError) {
    guard offset + text.utf8CodeUnitCount <= bytes.count else { throw fail("unexpected text") }
    for index in 0..<text.utf8CodeUnitCount where bytes[offset + index] != text.utf8Start[index] {
      throw fail("unexpected text")
    }
    offset += text.utf8CodeUnitCount
  }

  /// RFC 8259 §6: `-`? int frac? exp?
  private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) {
    let start = offset
    if bytes[offset] == 0x2D { offset += 1 }
    let leadingZero = offset < bytes.count && bytes[offset] == 0x30
    let integerDigits = digits(bytes)
    guard integerDigits > 0, !(leadingZero && integerDigits > 1) else {
      offset = start
      throw fail("unexpected text")
    }
    if offset < bytes.count, bytes[offset] == 0x2E {
      offset += 1
      guard digits(bytes) > 0 else { throw fail("a number lacks digits after its point") }
    }
    if offset < bytes.count, bytes[offset] | 0x20 == 0x65 {
      offset += 1
      if offset < bytes.count, bytes[offset] == 0x2B || bytes[offset] == 0x2D { offset += 1 }
      guard digits(bytes) > 0 else { throw fail("a number lacks digits in its exponent") }
    }
  }

  private mutating func digits(_ bytes: Span<UInt8>) -> Int {
    let start = offset
    while offset < bytes.count, bytes[offset].isDigit { offset += 1 }
    return offset - start
  }

  /// The index of the next quote, backslash or control character, or `bytes.count`, and whether everything before it is
  /// ASCII.
  ///
  /// Eight bytes a step: a byte of `x` is zero exactly where `(x - 0x01…) & ~x & 0x80…` has its top bit set.
  @inline(__always)
  static func plainRun(_ bytes: Span<UInt8>, from start: Int) -> (end: Int, isASCII: Bool) {
    bytes.withUnsafeBytes { raw in
      let ones: UInt64 = 0x0101_0101_0101_0101
      let tops: UInt64 = 0x8080_8080_8080_8080
      var index = start
      var seen: UInt64 = 0
      while index + 8 <= raw.count {
        let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let isQuote = (quote &- ones) & ~quote
        let isBackslash = (backslash &- ones) & ~backslash
        let isControl = (word &- (ones &* 0x20)) & ~word
        let hits = (isQuote | isBackslash | isControl) & tops
        if hits != 0 {
          let lowest = hits & (~hits &+ 1)
          seen |= word & (lowest &- 1)
          return (index + hits.trailingZeroBitCount >> 3, seen & tops == 0)
        }
        seen |= word
        index += 8
      }
      while index < raw.count, raw[index] >= 0x20, raw[index] != 0x22, raw[index] != 0x5C {
        seen |= UInt64(raw[index])
        index += 1
      }
      return (index, seen & tops == 0)
    }
  }
}
