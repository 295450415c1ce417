// JSON schemas of functions in the form that a model can be held to, and back (OpenAI reference, "Structured Outputs").

/// A schema whose objects have all of their members and no others, as strict output needs it. Members that may be left out are
/// null instead.
struct ClosedSchema {
  /// Nothing else means the same for the provider and for the client.
  private static let keptKeywords: Set<String> = [
    "type", "description", "enum", "const", "properties", "items", "anyOf", "$ref", "$defs", "definitions",
    "minItems",
    "maxItems", "minimum", "maximum",
  ]
  private static let maxDepth = 32

  let value: JSONValue

  /// Nil for a schema that cannot be closed: one with members of any name, with parts of no known shape, or nested too deeply.
  init?(_ schema: JSONValue) {
    guard let value = Self.closed(schema, depth: 0, isTop: true) else { return nil }
    self.value = value
  }

  private static func closed(_ schema: JSONValue, depth: Int, isTop: Bool = false) -> JSONValue? {
    guard depth <= maxDepth, let object = schema.objectValue else { return nil }
    if object["oneOf"] != nil || object["allOf"] != nil || object["not"] != nil
      || object["patternProperties"] != nil
    {
      return nil
    }
    var result = JSONObject()
    for member in object.members where keptKeywords.contains(member.key) {
      guard let value = closed(keyword: member.key, member.value, depth: depth) else { return nil }
      result[member.key] = value
    }
    if isObject(object) {
      guard close(&result, object, isTop: isTop) else { return nil }
    } else if isTyped(object, "array"), object["items"] == nil {
      return nil
    } else if object["type"] == nil, object["anyOf"] == nil, object["$ref"] == nil, object["enum"] == nil,
      object["const"] == nil
    {
      return nil
    }
    return .object(result)
  }

  private static func closed(keyword: String, _ value: JSONValue, depth: Int) -> JSONValue? {
    switch keyword {
    case "properties", "$defs", "definitions":
      guard let members = value.objectValue?.members else { return nil }
      var result: [JSONObject.Member] = []
      for member in members {
        guard let schema = closed(member.value, depth: depth + 1) else { return nil }
        result.append(JSONObject.Member(key: member.key, value: schema))
      }
      return .object(JSONObject(result))
    case "items": return closed(value, depth: depth + 1)
    case "anyOf":
      guard let branches = value.arrayValue else { return nil }
      let closed = branches.compactMap { Self.closed($0, depth: depth + 1) }
      return closed.count == branches.count ? .array(closed) : nil
    default: return value
    }
  }

  /// Makes all members of an object required. False if it may have members of any name.
  private static func close(_ result: inout JSONObject, _ object: JSONObject, isTop: Bool) -> Bool {
    let further = object["additionalProperties"]
    guard further == nil || further == false else { return false }
    let properties = result["properties"]?.objectValue ?? JSONObject()
    guard !properties.members.isEmpty || isTop || further == false else { return false }
    let required = Set(JSONValue.object(object).requiredNames)
    let all = properties.members.map { member in
      JSONObject.Member(
        key: member.key, value: required.contains(member.key) ? member.value : nullable(member.value))
    }
    result["properties"] = .object(JSONObject(all))
    result["required"] = .array(properties.members.map { .string($0.key) })
    result["additionalProperties"] = false
    return true
  }

  private static func nullable(_ schema: JSONValue) -> JSONValue {
    guard var object = schema.objectValue, !allowsNull(schema) else { return schema }
    if let branches = object["anyOf"]?.arrayValue {
      object["anyOf"] = .array(branches + [["type": "null"]])
    } else if let type = object["type"], object["enum"] == nil, object["const"] == nil {
      object["type"] = .array((type.arrayValue ?? [type]) + ["null"])
    } else {
      return ["anyOf": [schema, ["type": "null"]]]
    }
    return .object(object)
  }

  // MARK: Back

  /// A value of the closed schema as the schema before would have it: without members that are null because they could not be
  /// left out.
  static func opened(_ value: JSONValue, by schema: JSONValue) -> JSONValue {
    var opening = Opening(root: schema)
    return opening.opened(value, schema, depth: 0)
  }

  /// Opens a value, as far as that takes a bounded time.
  private struct Opening {
    /// Values that are looked at, and forms that are tried; the rest stays as it is.
    private static let maxValues = 20_000
    private static let maxForms = 100
    /// Steps to find out whether a form fits.
    private static let maxStepsOfForm = 2000

    let root: JSONValue
    private var values = StepBudget(Self.maxValues)
    private var forms = StepBudget(Self.maxForms)

    init(root: JSONValue) { self.root = root }

    mutating func opened(_ value: JSONValue, _ schema: JSONValue, depth: Int) -> JSONValue {
      guard values.take(), depth <= maxDepth else { return value }
      let schema = schema["$ref"]?.stringValue.flatMap(root.part(referredToBy:)) ?? schema
      if let branches = schema["anyOf"]?.arrayValue {
        return form(of: value, branches).map { opened(value, $0, depth: depth + 1) } ?? value
      }
      if let elements = value.arrayValue, let items = schema["items"] {
        return .array(elements.map { opened($0, items, depth: depth + 1) })
      }
      guard let object = value.objectValue, let properties = schema["properties"]?.objectValue else {
        return value
      }
      guard values.take(object.members.count * properties.members.count / 16) else { return value }
      let required = Set(schema.requiredNames)
      var members: [JSONObject.Member] = []
      for member in object.members {
        let property = properties[member.key]
        if member.value.isNull, !required.contains(member.key), property.map({ !allowsNull($0) }) ?? false {
          continue
        }
        let value = property.map { opened(member.value, $0, depth: depth + 1) } ?? member.value
        members.append(JSONObject.Member(key: member.key, value: value))
      }
      return .object(JSONObject(members))
    }

    private mutating func form(of value: JSONValue, _ branches: [JSONValue]) -> JSONValue? {
      for branch in branches {
        guard forms.take() else { return nil }
        if SchemaFault.first(in: value, by: branch, root: root, maxSteps: Self.maxStepsOfForm) == nil {
          return branch
        }
      }
      return nil
    }
  }

  // MARK: Reading

  private static func isObject(_ object: JSONObject) -> Bool {
    isTyped(object, "object") || object["properties"] != nil
  }

  private static func isTyped(_ object: JSONObject, _ name: JSONValue) -> Bool {
    object["type"] == name || object["type"]?.arrayValue?.contains(name) == true
  }

  private static func allowsNull(_ schema: JSONValue) -> Bool {
    guard let object = schema.objectValue else { return false }
    if isTyped(object, "null") { return true }
    if let values = object["enum"]?.arrayValue { return values.contains(.null) }
    return object["anyOf"]?.arrayValue?.contains(where: allowsNull) == true
  }
}
