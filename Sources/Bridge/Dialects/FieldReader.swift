// Reads the fields of a request. A value of a wrong type gives an error that names the field.

/// A JSON value with the path that leads to it.
struct FieldReader: Sendable {
  let value: JSONValue
  /// The path from the body to the value, for example `messages[2].content`; empty for the body itself.
  let path: String

  init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
  }

  /// The body of a request, which has to be an object.
  init(body: JSONValue) throws(APIError) {
    guard case .object = body else {
      throw .invalid("The request body must be a JSON object, but is \(body.typeName).")
    }
    self.init(body)
  }

  /// A member, nil if absent or null.
  func optional(_ key: String) -> FieldReader? {
    guard let member = value[key], !member.isNull else { return nil }
    return FieldReader(member, path: path.isEmpty ? key : "\(path).\(key)")
  }

  func required(_ key: String) throws(APIError) -> FieldReader {
    guard let member = optional(key) else {
      let name = path.isEmpty ? key : "\(path).\(key)"
      throw .invalid("Missing required parameter: '\(name)'.", param: name)
    }
    return member
  }

  func string() throws(APIError) -> String {
    guard let text = value.stringValue else { throw mismatch("a string") }
    return text
  }

  /// A string of few bytes, such as a name. Only short strings may be compared, or read character by character: in
  /// Unicode one character may have millions of bytes, and texts of different lengths may be equal, so both can take very
  /// long.
  func shortString(maxBytes: Int = Self.maxNameBytes) throws(APIError) -> String {
    let text = try string()
    guard text.utf8.count <= maxBytes else {
      throw .invalid("'\(path)' is longer than \(maxBytes) bytes.", param: path)
    }
    return text
  }

  /// All names in the API are much shorter.
  static let maxNameBytes = 256

  func bool() throws(APIError) -> Bool {
    guard let flag = value.boolValue else { throw mismatch("a boolean") }
    return flag
  }

  func int() throws(APIError) -> Int {
    guard let number = value.intValue else { throw mismatch("an integer") }
    return number
  }

  func object() throws(APIError) -> JSONObject {
    guard let object = value.objectValue else { throw mismatch("an object") }
    return object
  }

  /// The elements of an array. Each reader is made when it is used, because an array may have a million elements.
  func array() throws(APIError) -> LazyMapSequence<Range<Int>, FieldReader> {
    guard let values = value.arrayValue else { throw mismatch("an array") }
    return values.indices.lazy.map { [path] in FieldReader(values[$0], path: "\(path)[\($0)]") }
  }

  /// The elements of an array. Throws if it has more than `limit`.
  func array(atMost limit: Int) throws(APIError) -> LazyMapSequence<Range<Int>, FieldReader> {
    let elements = try array()
    guard elements.count <= limit else { throw tooMany(limit) }
    return elements
  }

  func tooMany(_ limit: Int) -> APIError {
    .invalid("'\(path)' has more than \(limit) elements.", param: path)
  }

  func mismatch(_ expected: String) -> APIError {
    .invalid("Invalid type for '\(path)': expected \(expected), but got \(value.typeName).", param: path)
  }
}
