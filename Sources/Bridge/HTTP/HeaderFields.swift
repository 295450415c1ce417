// Header fields as they came: one array of bytes and the ranges of names and values in it.

/// The header fields of a request, in their order.
struct HeaderFields: Sendable {
  /// Where one field stands, as ranges of `bytes`.
  struct Line: Sendable {
    let name: Range<Int>
    let value: Range<Int>
  }

  /// How often a field occurs that may occur once.
  enum Occurrence: Equatable {
    case absent
    /// The range of its value in `bytes`.
    case once(Range<Int>)
    case repeated

    mutating func add(_ value: Range<Int>) { self = if case .absent = self { .once(value) } else { .repeated } }
  }

  let bytes: [UInt8]
  let lines: [Line]

  /// `bytes` holds the whole head, `lines` are ranges of it.
  init(bytes: [UInt8] = [], lines: [Line] = []) {
    self.bytes = bytes
    self.lines = lines
  }

  /// The value of the first field of that name; `name` is in lower case, the field's may be in any.
  subscript(_ name: String) -> String? { range(of: name).map(text) }

  /// The same as a range of `bytes`.
  func range(of name: String) -> Range<Int>? {
    for line in lines where matches(line.name, name) { return line.value }
    return nil
  }

  /// All values of that name.
  func values(_ name: String) -> [String] {
    var values: [String] = []
    for line in lines where matches(line.name, name) { values.append(text(line.value)) }
    return values
  }

  /// Whether a comma-separated field contains `token`, in any case (RFC 9110 §5.6.1).
  func contains(_ name: String, token: String) -> Bool {
    values(name).contains { value in
      value.split(separator: ",").contains { $0.trimmingSpaces().lowercased() == token }
    }
  }

  func text(_ range: Range<Int>) -> String {
    String(decoding: bytes.span.extracting(range))
  }

  /// Whether a name is `lowercased`, in any case.
  func matches(_ name: Range<Int>, _ lowercased: String) -> Bool {
    bytes.span.extracting(name).isEqual(inAnyCase: lowercased)
  }
}
