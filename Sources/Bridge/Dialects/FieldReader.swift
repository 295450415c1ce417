// Reading request values field by field: the right type, or an error that names the field.

/// A JSON value with the path that leads to it.
struct FieldReader: Sendable {
  let value: JSONValue
  /// For example `messages[2].content`; empty at the top.
  let path: String

  init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
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

  /// A string of few bytes, such as a name. Only such a one may be compared or looked at by characters: in Unicode one
  /// character may have millions of bytes, and two texts of any length may be the same.
  func shortString(maxBytes: Int = Self.maxNameBytes) throws(APIError) -> String {
    let text = try string()
    guard text.utf8.count <= maxBytes else {
      throw .invalid("'\(path)' is longer than \(maxBytes) bytes.", param: path)
    }
    return text
  }

  /// No name in the API comes near it.
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

  /// The elements. They are made one by one, as they are asked for.
  func array() throws(APIError) -> LazyMapSequence<Range<Int>, FieldReader> {
    guard let values = value.arrayValue else { throw mismatch("an array") }
    return values.indices.lazy.map { [path] in FieldReader(values[$0], path: "\(path)[\($0)]") }
  }

  /// The elements of an array that may have so many.
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
