// Whether the arguments of a call follow the schema of their function, for clients that rely on it. Pure.

/// Finds where a value departs from a JSON schema. It knows types, members, elements, enumerations and references; what else a
/// schema may say is not looked at.
struct SchemaFault {
  private static let maxDepth = 32
  /// Steps of a check. What is not reached is not looked at.
  static let maxSteps = 20_000

  /// Says where and what is wrong; nil if nothing is.
  /// References count from `root`, which is the schema itself if it is not given.
  static func first(in value: JSONValue, by schema: JSONValue, root: JSONValue? = nil, maxSteps: Int = maxSteps)
    -> String?
  {
    var check = SchemaFault(root: root ?? schema, steps: StepBudget(maxSteps))
    return check.fault(value, schema, at: "", depth: 0)
  }

  private let root: JSONValue
  private var steps: StepBudget

  private init(root: JSONValue, steps: StepBudget) {
    self.root = root
    self.steps = steps
  }

  private mutating func fault(_ value: JSONValue, _ schema: JSONValue, at path: String, depth: Int) -> String? {
    guard depth <= Self.maxDepth, steps.take() else { return nil }
    if let reference = schema["$ref"]?.stringValue {
      guard let schema = root.part(referredToBy: reference) else { return nil }
      return fault(value, schema, at: path, depth: depth + 1)
    }
    let place = path.isEmpty ? "the arguments" : "'\(path)'"
    if let branches = schema["anyOf"]?.arrayValue ?? schema["oneOf"]?.arrayValue {
      return branches.contains { fault(value, $0, at: path, depth: depth + 1) == nil }
        ? nil : "\(place) fits no form"
    }
    if let values = schema["enum"]?.arrayValue, !values.contains(value) {
      return "\(place) is none of the allowed values"
    }
    if let constant = schema["const"], constant != value { return "\(place) is not the one allowed value" }
    let types = schema["type"].map { $0.arrayValue ?? [$0] } ?? []
    if !types.isEmpty, !types.contains(where: { Self.isType($0, of: value) }) {
      return "\(place) is \(value.typeName)"
    }
    if let elements = value.arrayValue, let items = schema["items"] {
      for (index, element) in elements.enumerated() {
        if let fault = fault(element, items, at: "\(path)[\(index)]", depth: depth + 1) { return fault }
      }
    }
    return memberFault(value, schema, at: path, depth: depth)
  }

  private mutating func memberFault(_ value: JSONValue, _ schema: JSONValue, at path: String, depth: Int)
    -> String?
  {
    guard let object = value.objectValue else { return nil }
    let inner = { (name: String) in path.isEmpty ? name : "\(path).\(name)" }
    let required = schema.requiredNames
    // Each name is looked for among the members, and each member among the properties.
    let properties = schema["properties"]?.objectValue
    let lookUps = (required.count + (properties?.members.count ?? 0)) * object.members.count / 16
    guard steps.take(lookUps) else { return nil }
    for name in required where object[name] == nil {
      return "'\(inner(name))' is missing"
    }
    for member in object.members {
      if let property = properties?[member.key] {
        if let fault = fault(member.value, property, at: inner(member.key), depth: depth + 1) { return fault }
      } else if schema["additionalProperties"] == false {
        return "'\(inner(member.key))' is not among its members"
      }
    }
    return nil
  }

  private static func isType(_ name: JSONValue, of value: JSONValue) -> Bool {
    switch value {
    case .null: name == "null"
    case .bool: name == "boolean"
    case .number: name == "number" || name == "integer" && value.intValue != nil
    case .string: name == "string"
    case .array: name == "array"
    case .object: name == "object"
    }
  }
}
