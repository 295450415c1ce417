// JSON as a value: for parts that pass through unchanged (schemas, tool arguments), and for objects that are read field by
// field.
// Members keep their order, because a model reads a schema's properties in it, and numbers keep their digits.

/// Any JSON value (RFC 8259).
enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The number's own digits, so that nothing is rounded on the way through.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  static func int(_ value: Int) -> JSONValue { .number(String(value)) }
  static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

  /// A member of an object; nil for other values and absent members.
  subscript(_ key: String) -> JSONValue? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  var isNull: Bool { self == .null }

  var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }

  var boolValue: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The number as an integer, also when it is written as 1.0 or 1e3; nil if it is none or too large.
  var intValue: Int? {
    // A number with more digits is an attack, because reading the digits takes time.
    guard case .number(let digits) = self, digits.utf8.count <= 100 else { return nil }
    if let value = Int(digits) { return value }
    // Above this a Double no longer tells one integer from the next.
    guard let value = Double(digits), abs(value) < 0x1p53 else { return nil }
    return Int(exactly: value)
  }

  var doubleValue: Double? {
    if case .number(let digits) = self, digits.utf8.count <= 100 { Double(digits) } else { nil }
  }

  var arrayValue: [JSONValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  var objectValue: JSONObject? {
    if case .object(let object) = self { object } else { nil }
  }

  /// Whether its text has more than about `bytes`. No more of it is looked at than that takes.
  func isLonger(than bytes: Int) -> Bool {
    var rest = bytes
    return !isCounted(within: &rest)
  }

  /// Takes the size of the text from `rest`: two bytes for each value besides its strings. False if that is too little; no
  /// more is looked at then.
  func isCounted(within rest: inout Int) -> Bool {
    rest -= 2
    switch self {
    case .string(let text), .number(let text): rest -= text.utf8.count
    case .array(let values):
      for value in values where !value.isCounted(within: &rest) { return false }
    case .object(let object):
      for member in object.members {
        rest -= member.key.utf8.count
        if !member.value.isCounted(within: &rest) { return false }
      }
    case .null, .bool: break
    }
    return rest >= 0
  }

  /// "string", "number"…, as error messages name types.
  var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The value as compact JSON text.
  var jsonText: String {
    var buffer = ByteBuffer()
    buffer.append(json: self)
    return String(decoding: buffer.take(), as: UTF8.self)
  }

  /// The value as compact JSON bytes.
  var jsonBytes: [UInt8] {
    var buffer = ByteBuffer()
    buffer.append(json: self)
    return buffer.take()
  }
}

/// The members of a JSON object, in their order.
struct JSONObject: Sendable, Equatable {
  struct Member: Sendable, Equatable {
    let key: String
    var value: JSONValue

    /// Names are compared code unit by code unit (RFC 8259 §8.3), not by what they look like.
    func hasKey(_ key: String) -> Bool {
      // Mostly their lengths tell names apart already.
      self.key.utf8.count == key.utf8.count && self.key.utf8.span.isEqual(to: key.utf8.span)
    }
  }

  private(set) var members: [Member] = []

  init() {}
  init(_ members: [Member]) { self.members = members }

  subscript(_ key: String) -> JSONValue? {
    get { members.first { $0.hasKey(key) }?.value }
    set {
      let index = members.firstIndex { $0.hasKey(key) }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  /// Equal members in another order are the same object.
  static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.members.count == right.members.count && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral,
  ExpressibleByStringInterpolation
{
  init(stringLiteral value: String) { self = .string(value) }
  init(integerLiteral value: Int) { self = .int(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  init(nilLiteral: ()) { self = .null }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements.map { JSONObject.Member(key: $0, value: $1) }))
  }
}

extension ByteBuffer {
  /// Appends a value as compact JSON.
  mutating func append(json value: JSONValue) {
    switch value {
    case .null: append("null")
    case .bool(let value): append(value ? "true" : "false")
    case .number(let digits): append(digits)
    case .string(let text): append(jsonString: text)
    case .array(let values):
      append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { append(UInt8(ascii: ",")) }
        append(json: value)
      }
      append(UInt8(ascii: "]"))
    case .object(let object):
      append(UInt8(ascii: "{"))
      for (index, member) in object.members.enumerated() {
        if index > 0 { append(UInt8(ascii: ",")) }
        append(jsonString: member.key)
        append(UInt8(ascii: ":"))
        append(json: member.value)
      }
      append(UInt8(ascii: "}"))
    }
  }

  /// Appends a quoted and escaped JSON string.
  mutating func append(jsonString text: String) {
    append(UInt8(ascii: "\""))
    append(jsonEscaping: text)
    append(UInt8(ascii: "\""))
  }

  /// Appends the inside of a JSON string, escaped as RFC 8259 §7 requires. The line breaks of Unicode are escaped too:
  /// JSON stands in lines that clients split, some of them at these.
  mutating func append(jsonEscaping text: String) {
    let bytes = text.utf8.span
    var clean = 0
    while true {
      // Eight bytes a step: a text may be an image of many megabytes.
      let (index, isASCII) = JSONScanner.plainRun(bytes, from: clean)
      if isASCII {
        append(bytes.extracting(clean..<index))
      } else {
        append(escapingLineBreaksIn: bytes.extracting(clean..<index))
      }
      guard index < bytes.count else { return }
      clean = index + 1
      switch bytes[index] {
      case 0x22: append("\\\"")
      case 0x5C: append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case let control:
        let digits = String(control, radix: 16)
        append(digits.count == 1 ? "\\u000" : "\\u00")
        append(digits)
      }
    }
  }

  private mutating func append(escapingLineBreaksIn bytes: Span<UInt8>) {
    var start = 0
    while let found = UnicodeLineBreak.first(in: bytes, from: start) {
      append(bytes.extracting(start..<found.range.lowerBound))
      append(fixed: found.escape)
      start = found.range.upperBound
    }
    append(bytes.extracting(start...))
  }
}

/// U+0085, U+2028 and U+2029, as UTF-8: characters at which some clients split lines, Python's `splitlines` among them.
enum UnicodeLineBreak {
  /// The first of them at or after `start`, and how JSON escapes it.
  static func first(in bytes: Span<UInt8>, from start: Int = 0) -> (range: Range<Int>, escape: StaticString)? {
    var index = start
    while index + 1 < bytes.count {
      switch bytes[index] {
      case 0xC2 where bytes[index + 1] == 0x85: return (index..<index + 2, "\\u0085")
      case 0xE2 where bytes[index + 1] == 0x80 && index + 2 < bytes.count:
        if bytes[index + 2] == 0xA8 { return (index..<index + 3, "\\u2028") }
        if bytes[index + 2] == 0xA9 { return (index..<index + 3, "\\u2029") }
      default: break
      }
      index += 1
    }
    return nil
  }
}
