// What is read of a JSON schema wherever one is looked through (JSON Schema, draft 2020-12).

extension JSONValue {
  /// The part of this document that a reference within it leads to (`#/$defs/name`); nil for any other reference, and where
  /// there is no such part.
  func part(referredToBy reference: String) -> JSONValue? {
    guard reference.hasPrefix("#/") else { return nil }
    var found: JSONValue? = self
    for name in reference.dropFirst(2).split(separator: "/") { found = found?[String(name)] }
    return found
  }

  /// The members that a schema says an object must have.
  var requiredNames: [String] { (self["required"]?.arrayValue ?? []).compactMap(\.stringValue) }
}

/// How much may be looked at. A schema that refers to itself in several forms takes more steps than can be counted.
struct StepBudget {
  private var left: Int

  init(_ steps: Int) { left = steps }

  /// False once there have been too many.
  mutating func take(_ steps: Int = 1) -> Bool {
    left -= steps
    return left > 0
  }
}
