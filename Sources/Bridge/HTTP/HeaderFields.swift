// Header fields as they came: one array of bytes and the ranges of names and values in it.

/// The header fields of a request, in their order.
struct HeaderFields: Sendable {
  private struct Field: Sendable {
    let name: Range<Int>
    let value: Range<Int>
  }

  private let bytes: [UInt8]
  private var fields: [Field] = []

  /// `bytes` holds the whole head; fields are added as ranges of it.
  init(bytes: [UInt8] = []) { self.bytes = bytes }

  var count: Int { fields.count }

  mutating func add(name: Range<Int>, value: Range<Int>) {
    fields.append(Field(name: name, value: value))
  }

  /// The value of the first field of that name; `name` is in lower case, the field's may be in any.
  subscript(_ name: String) -> String? {
    for field in fields where matches(field.name, name) { return text(field.value) }
    return nil
  }

  /// All values of that name.
  func values(_ name: String) -> [String] {
    var values: [String] = []
    for field in fields where matches(field.name, name) { values.append(text(field.value)) }
    return values
  }

  /// Names in lower case with their values, for conformance to rules about families of names.
  var all: [(name: String, value: String)] {
    fields.map { (text($0.name).lowercased(), text($0.value)) }
  }

  /// Whether a comma-separated field contains `token`, in any case (RFC 9110 §5.6.1).
  func contains(_ name: String, token: String) -> Bool {
    values(name).contains { value in
      value.split(separator: ",").contains { $0.trimmingSpaces().lowercased() == token }
    }
  }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  private func matches(_ range: Range<Int>, _ lowercased: String) -> Bool {
    let utf8 = lowercased.utf8
    guard range.count == utf8.count else { return false }
    var index = range.lowerBound
    for expected in utf8 {
      let byte = bytes[index]
      let isUpper = byte >= 0x41 && byte <= 0x5A
      if (isUpper ? byte | 0x20 : byte) != expected { return false }
      index += 1
    }
    return true
  }
}
