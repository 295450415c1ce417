// JSON bytes to `JSONValue`, strictly: what one parser would read differently from another is refused.

extension JSONValue {
  /// Parses one JSON text: valid UTF-8, no duplicate members, no lone surrogates, at most
  /// `JSONScanner.maxDepth` levels deep, nothing but white space after it.
  init(parsing bytes: Span<UInt8>) throws(JSONError) {
    var parser = JSONParser(bounds: nil)
    self = try parser.value(bytes, depth: 0)
    try parser.finish(bytes)
  }

  /// The same within bounds, and about how many bytes of memory the value takes.
  static func parsing(
    _ bytes: Span<UInt8>, within bounds: JSONBounds
  ) throws(JSONError) -> (value: JSONValue, memory: Int) {
    var parser = JSONParser(bounds: bounds)
    let value = try parser.value(bytes, depth: 0)
    try parser.finish(bytes)
    return (value, parser.memory)
  }

  init(parsing bytes: [UInt8]) throws(JSONError) {
    try self.init(parsing: bytes.span)
  }

  init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}

/// What a text may become: a few bytes can stand for a value that takes many times as many.
struct JSONBounds: Sendable {
  var maxValues: Int
  /// Bytes of memory, growing included.
  var maxMemory: Int
}

private struct JSONParser {
  /// What the allocation of an array or a string takes besides its elements.
  private static let allocationBytes = 32
  /// A shorter string is kept in the value itself.
  private static let inlineStringBytes = 15

  /// Room for so many members is made with the second: growing to it step by step is dearer than all else there is to do.
  /// Not with the first, or millions of objects with one member would take three times the memory.
  private static let usualMemberCount = 6

  private var scanner = JSONScanner()
  private let bounds: JSONBounds
  /// Lines of the engine have none, and pay nothing for those of others.
  private let isBounded: Bool
  private var count = 0
  private(set) var memory = 0

  init(bounds: JSONBounds?) {
    self.bounds = bounds ?? JSONBounds(maxValues: .max, maxMemory: .max)
    isBounded = bounds != nil
  }

  mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= JSONScanner.maxDepth else { throw scanner.tooDeep }
    count += 1
    if count > bounds.maxValues { throw scanner.excess("more than \(bounds.maxValues) values") }
    switch try scanner.peek(bytes) {
    case 0x22: return .string(try string(bytes))
    case 0x7B: return .object(try object(bytes, depth: depth))
    case 0x5B: return .array(try array(bytes, depth: depth))
    default: return scalar(bytes.extracting(try scanner.scalar(bytes)))
    }
  }

  mutating func finish(_ bytes: Span<UInt8>) throws(JSONError) {
    scanner.skipWhitespace(bytes)
    if scanner.offset != bytes.count { throw scanner.fail("unexpected text after the JSON value") }
  }

  private func scalar(_ token: Span<UInt8>) -> JSONValue {
    switch token[0] {
    case 0x74: .bool(true)
    case 0x66: .bool(false)
    case 0x6E: .null
    // A number's bytes are ASCII: the scanner has seen each of them.
    default: .number(token.text ?? "")
    }
  }

  private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> [JSONValue] {
    try scanner.expect(0x5B, bytes)
    if try scanner.take(0x5D, bytes) { return [] }
    var values: [JSONValue] = []
    repeat {
      try makeRoom(in: &values)
      values.append(try value(bytes, depth: depth + 1))
    } while try scanner.take(0x2C, bytes)
    try scanner.expect(0x5D, bytes)
    return values
  }

  private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONObject {
    try scanner.expect(0x7B, bytes)
    if try scanner.take(0x7D, bytes) { return JSONObject() }
    var members: [JSONObject.Member] = []
    // A linear search is quickest for the few members objects have; a large one must not become quadratic.
    // Bytes are compared: to `String` a composed and a decomposed letter are the same, to everybody else they are not.
    var seen: Set<Int> = []
    repeat {
      let key = try string(bytes)
      if members.count == 1, !isBounded { members.reserveCapacity(Self.usualMemberCount) }
      if members.count == 16 { seen = Set(members.map { Self.hash($0.key) }) }
      // Two names with one hash are next to impossible, so the search is for the one that is refused.
      let mayBeDuplicate = members.count < 16 || !seen.insert(Self.hash(key)).inserted
      if mayBeDuplicate, members.contains(where: { $0.hasKey(key) }) {
        throw scanner.fail("the member “\(key.beginning(ofBytes: 40))” occurs twice")
      }
      try scanner.expect(0x3A, bytes)
      try makeRoom(in: &members)
      members.append(.init(key: key, value: try value(bytes, depth: depth + 1)))
    } while try scanner.take(0x2C, bytes)
    try scanner.expect(0x7D, bytes)
    return JSONObject(members)
  }

  /// Its seed is random: nobody can choose names that meet.
  private static func hash(_ key: String) -> Int {
    var hasher = Hasher()
    key.utf8.span.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  // MARK: Bounds

  /// Counts the memory of an array that is about to grow: to twice its size, beside what it leaves.
  @inline(__always)
  private mutating func makeRoom<Element>(in elements: inout [Element]) throws(JSONError) {
    if isBounded, elements.count == elements.capacity { try grow(&elements) }
  }

  private mutating func grow<Element>(_ elements: inout [Element]) throws(JSONError) {
    let old = elements.capacity * MemoryLayout<Element>.stride
    let isFirst = elements.isEmpty
    guard memory + 2 * old + Self.allocationBytes <= bounds.maxMemory else { throw tooLarge }
    elements.reserveCapacity(isFirst ? 1 : 2 * elements.capacity)
    memory += elements.capacity * MemoryLayout<Element>.stride - old + (isFirst ? Self.allocationBytes : 0)
    if memory > bounds.maxMemory { throw tooLarge }
  }

  @inline(__always)
  private mutating func countString(_ bytes: Int) throws(JSONError) {
    guard isBounded, bytes > Self.inlineStringBytes else { return }
    memory += bytes + Self.allocationBytes
    if memory > bounds.maxMemory { throw tooLarge }
  }

  private var tooLarge: JSONError {
    scanner.excess("too many small values: they would take more than \(bounds.maxMemory) bytes of memory")
  }

  private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
    let (range, hasEscapes) = try scanner.string(bytes)
    try countString(range.count)
    let content = bytes.extracting(range)
    if hasEscapes {
      return try JSONUnescaper.unescape(content, at: range.lowerBound)
    }
    guard let text = content.text else {
      throw JSONError(reason: "a string is not valid UTF-8", offset: range.lowerBound)
    }
    return text
  }
}

enum JSONUnescaper {
  /// The text of a JSON string's inside. `at` is where it stands in the whole text, for errors.
  static func unescape(_ content: Span<UInt8>, at start: Int = 0) throws(JSONError) -> String {
    var output: [UInt8] = []
    output.reserveCapacity(content.count)
    var index = 0
    while index < content.count {
      let byte = content[index]
      guard byte == 0x5C else {
        output.append(byte)
        index += 1
        continue
      }
      index += 1
      guard index < content.count else { throw JSONError(reason: "a cut escape", offset: start + index) }
      switch content[index] {
      case 0x22, 0x5C, 0x2F: output.append(content[index])
      case 0x62: output.append(0x08)
      case 0x66: output.append(0x0C)
      case 0x6E: output.append(0x0A)
      case 0x72: output.append(0x0D)
      case 0x74: output.append(0x09)
      case 0x75:
        let scalar = try unicodeScalar(content, &index, start)
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      default: throw JSONError(reason: "an unknown escape", offset: start + index)
      }
      index += 1
    }
    guard let text = String(validating: output, as: UTF8.self) else {
      throw JSONError(reason: "a string is not valid UTF-8", offset: start)
    }
    return text
  }

  /// Reads `uXXXX`, or a surrogate pair of them, with `index` at the `u`; leaves it at the last digit.
  private static func unicodeScalar(
    _ content: Span<UInt8>,
    _ index: inout Int,
    _ start: Int
  ) throws(JSONError) -> UnicodeScalar {
    let first = try hexUnit(content, index + 1, start)
    index += 4
    if let scalar = UnicodeScalar(first) { return scalar }
    let isHighSurrogate = (0xD800..<0xDC00).contains(first)
    guard isHighSurrogate, index + 2 < content.count, content[index + 1] == 0x5C, content[index + 2] == 0x75
    else { throw JSONError(reason: "a lone surrogate", offset: start + index) }
    let second = try hexUnit(content, index + 3, start)
    guard (0xDC00..<0xE000).contains(second) else {
      throw JSONError(reason: "a lone surrogate", offset: start + index)
    }
    index += 6
    let value = 0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00)
    guard let scalar = UnicodeScalar(value) else {
      throw JSONError(reason: "a lone surrogate", offset: start + index)
    }
    return scalar
  }

  private static func hexUnit(_ content: Span<UInt8>, _ from: Int, _ start: Int) throws(JSONError) -> UInt16 {
    guard from + 4 <= content.count else { throw JSONError(reason: "a cut escape", offset: start + from) }
    var value: UInt16 = 0
    for index in from..<from + 4 {
      guard let digit = content[index].hexValue else {
        throw JSONError(reason: "a bad \\u escape", offset: start + index)
      }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}

/// Text that is still escaped as in a JSON string, as it came from the engine.
///
/// A token goes from one JSON string into another, so on the way nobody needs to open it.
struct EscapedText: Sendable, Equatable {
  let raw: String

  /// Takes the inside of a JSON string, still escaped.
  init(raw: String) { self.raw = raw }

  /// Escapes plain text.
  init(_ text: String) {
    var buffer = ByteBuffer()
    buffer.append(jsonEscaping: text)
    raw = String(decoding: buffer.take(), as: UTF8.self)
  }

  /// The text as a paragraph of its own.
  var afterBlankLine: EscapedText { EscapedText(raw: "\\n\\n" + raw) }

  var hasEscapes: Bool { raw.utf8.span.firstIndex(of: 0x5C) != nil }

  /// The plain text.
  var text: String {
    guard hasEscapes else { return raw }
    let bytes = Array(raw.utf8)
    // The scanner that cut it out has checked where it ends; a bad escape inside is shown, not lost.
    return (try? JSONUnescaper.unescape(bytes.span)) ?? raw
  }
}
