// Values that fit a JSON schema, so that tools and structured output can be tried without a real model. Pure.

/// Makes one small value that fits a schema.
struct DemoInstance {
  /// Deeper than this, lists are left empty, so that a schema that contains itself comes to an end.
  private static let deepestList = 4
  /// Deeper than this nothing is looked into.
  private static let deepest = 16

  private let root: JSONValue

  /// A value that fits `schema`: of an object the required properties, or all of them where it does not say which.
  static func make(_ schema: JSONValue) -> JSONValue { DemoInstance(root: schema).value(schema, depth: 0) }

  private func value(_ schema: JSONValue, depth: Int) -> JSONValue {
    guard depth < Self.deepest else { return .null }
    if let pointer = schema["$ref"]?.stringValue {
      return target(of: pointer).map { value($0, depth: depth + 1) } ?? .null
    }
    if let value = schema["const"] { return value }
    if Self.allowsNull(schema) { return .null }
    if let value = schema["enum"]?.arrayValue?.first { return value }
    if let value = schema["example"] ?? schema["examples"]?.arrayValue?.first ?? schema["default"] { return value }
    if let first = (schema["anyOf"] ?? schema["oneOf"])?.arrayValue?.first {
      return value(first, depth: depth + 1)
    }
    if let parts = schema["allOf"]?.arrayValue { return merged(schema, parts, depth: depth) }
    return value(ofType: Self.type(of: schema), schema, depth: depth)
  }

  private func value(ofType type: String?, _ schema: JSONValue, depth: Int) -> JSONValue {
    switch type {
    case "object": .object(object(schema, depth: depth))
    case "array": .array(list(schema, depth: depth))
    case "integer": .int(Self.integer(schema))
    case "number": Self.number(schema)
    case "boolean": true
    case "null": .null
    default: .string(Self.text(schema))
    }
  }

  private func object(_ schema: JSONValue, depth: Int) -> JSONObject {
    let required = schema["required"]?.arrayValue?.compactMap(\.stringValue)
    let members = schema["properties"]?.objectValue?.members ?? []
    return JSONObject(
      members.filter { required?.contains($0.key) ?? true }
        .map { .init(key: $0.key, value: value($0.value, depth: depth + 1)) })
  }

  private func list(_ schema: JSONValue, depth: Int) -> [JSONValue] {
    if let first = schema["prefixItems"]?.arrayValue { return first.map { value($0, depth: depth + 1) } }
    let least = min(schema["minItems"]?.intValue ?? 0, 100)
    guard let items = schema["items"], items.objectValue?.members.isEmpty == false else {
      return Array(repeating: "demo", count: least)
    }
    if schema["maxItems"]?.intValue == 0 || (depth > Self.deepestList && least == 0) { return [] }
    return (0..<max(least, 1)).map { _ in value(items, depth: depth + 1) }
  }

  /// An object that fits all the parts; where they are no objects, the first decides.
  private func merged(_ schema: JSONValue, _ parts: [JSONValue], depth: Int) -> JSONValue {
    var result = schema["properties"] == nil ? JSONObject() : object(schema, depth: depth)
    for part in parts {
      let value = self.value(part, depth: depth + 1)
      guard let members = value.objectValue?.members else { return value }
      for member in members { result[member.key] = member.value }
    }
    return .object(result)
  }

  /// What a pointer within the schema, such as `#/$defs/City`, leads to.
  private func target(of pointer: String) -> JSONValue? {
    guard pointer.hasPrefix("#") else { return nil }
    return pointer.dropFirst().split(separator: "/").reduce(root as JSONValue?) { place, name in
      place?[String(name.replacing("~1", with: "/").replacing("~0", with: "~"))]
    }
  }

  private static func type(of schema: JSONValue) -> String? {
    if let type = schema["type"]?.stringValue ?? schema["type"]?.arrayValue?.first?.stringValue { return type }
    if schema["properties"] != nil { return "object" }
    return schema["items"] != nil ? "array" : nil
  }

  private static func allowsNull(_ schema: JSONValue) -> Bool {
    if schema["nullable"] == true || schema["type"]?.arrayValue?.contains("null") == true { return true }
    return (schema["anyOf"] ?? schema["oneOf"])?.arrayValue?.contains { $0["type"] == "null" } == true
  }

  private static func integer(_ schema: JSONValue) -> Int {
    let least = schema["minimum"]?.intValue ?? schema["exclusiveMinimum"]?.intValue.map { $0 &+ 1 }
    let most = schema["maximum"]?.intValue ?? schema["exclusiveMaximum"]?.intValue.map { $0 &- 1 }
    return least ?? min(1, most ?? 1)
  }

  private static func number(_ schema: JSONValue) -> JSONValue {
    if let least = schema["minimum"] { return least }
    guard let most = schema["maximum"], let limit = most.doubleValue, limit < 1.5 else { return .number("1.5") }
    return most
  }

  private static func text(_ schema: JSONValue) -> String {
    let text =
      switch schema["format"]?.stringValue {
      case "date-time": "2026-01-31T12:00:00Z"
      case "date": "2026-01-31"
      case "time": "12:00:00Z"
      case "email": "demo@example.com"
      case "uri", "url": "https://example.com/"
      case "uuid": "00000000-0000-4000-8000-000000000000"
      default: "demo"
      }
    let most = schema["maxLength"]?.intValue ?? .max
    let missing = min(schema["minLength"]?.intValue ?? 0, 1000) - text.count
    return String((text + String(repeating: "x", count: max(0, missing))).prefix(max(0, most)))
  }
}
