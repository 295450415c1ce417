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

  func array() throws(APIError) -> [FieldReader] {
    guard let values = value.arrayValue else { throw mismatch("an array") }
    return values.enumerated().map { FieldReader($1, path: "\(path)[\($0)]") }
  }

  func mismatch(_ expected: String) -> APIError {
    .invalid("Invalid type for '\(path)': expected \(expected), but got \(value.typeName).", param: path)
  }
}
