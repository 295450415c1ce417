// The tools that a request offers to the model, and how a call of one is written. Pure.

/// A tool as the model sees it.
struct DemoTool: Sendable, Equatable {
  /// Where Codex puts the functions of the bridge's own client.
  static let clientNamespace = "client"
  /// What begins the namespace of an MCP server.
  private static let serverPrefix = "mcp__"

  let name: String
  /// Codex answers a call that lacks it as unsupported.
  let namespace: String?
  /// Takes free text instead of arguments.
  let isFreeForm: Bool
  let parameters: JSONValue?

  /// Every tool of a request: a model family has them in `tools` or in an item of the input.
  static func offered(in body: JSONValue) -> [DemoTool] {
    let items = body["input"]?.arrayValue ?? []
    let added = items.filter { $0["type"] == "additional_tools" }
    return ([body] + added).flatMap { $0["tools"]?.arrayValue ?? [] }.flatMap(expanded)
  }

  private static func expanded(_ value: JSONValue) -> [DemoTool] {
    guard value["type"] == "namespace", let namespace = value["name"]?.stringValue else {
      return tool(value, namespace: nil).map { [$0] } ?? []
    }
    // The family with code mode groups Codex's own tools in this namespace, and calls them without it.
    let written = namespace == "functions" ? nil : namespace
    return (value["tools"]?.arrayValue ?? []).compactMap { tool($0, namespace: written) }
  }

  private static func tool(_ value: JSONValue, namespace: String?) -> DemoTool? {
    value["name"]?.stringValue.map {
      DemoTool(
        name: $0, namespace: namespace, isFreeForm: value["type"] == "custom", parameters: value["parameters"])
    }
  }

  /// The tool that a script's `NAME`, `client/NAME` or `SERVER/NAME` means: one of Codex's own before one of the client. One
  /// that nobody offered is called all the same, as the client's if that has any.
  static func named(_ written: String, among offered: [DemoTool]) -> DemoTool {
    let parts = written.split(separator: "/", maxSplits: 1).map(String.init)
    let name = parts.last ?? written
    if parts.count > 1 {
      let namespace = parts[0] == clientNamespace ? clientNamespace : serverPrefix + parts[0]
      return offered.first { $0.name == name && $0.namespace == namespace }
        ?? DemoTool(name: name, namespace: namespace, isFreeForm: false, parameters: nil)
    }
    let client = offered.contains { $0.namespace == clientNamespace } ? clientNamespace : nil
    return offered.first { $0.name == name && $0.namespace == nil }
      ?? offered.first { $0.name == name && $0.namespace == clientNamespace }
      ?? DemoTool(name: name, namespace: client, isFreeForm: false, parameters: nil)
  }

  /// The client's tool that a person's message names, by its name or with blanks in it: `get weather` for `get_weather`.
  static func mentioned(in message: String, among offered: [DemoTool]) -> DemoTool? {
    let said = words(message)
    return offered.filter { $0.namespace == clientNamespace && said.contains(words($0.name)) }
      .max { $0.name.count < $1.name.count }
  }

  /// Lower-case words between single blanks, with a blank at both ends.
  private static func words(_ text: String) -> String {
    " " + text.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: " ") + " "
  }

  /// The item with which the model calls it. Without `arguments` they are made from its schema.
  func call(_ arguments: DemoArguments?, itemID: String, callID: String) -> JSONValue {
    var item = JSONObject()
    item["call_id"] = .string(callID)
    item["name"] = .string(name)
    item["namespace"] = namespace.map { .string($0) }
    if let text = freeText(arguments) {
      item["type"] = "custom_tool_call"
      item["id"] = .string("ct_\(itemID)")
      item["input"] = .string(text)
    } else {
      item["type"] = "function_call"
      item["id"] = .string("fc_\(itemID)")
      item["arguments"] = .string(argumentText(arguments))
    }
    return .object(item)
  }

  /// The answer that stands for a call, where `schema` asks for one: of one function its arguments, of several `call` with the
  /// name too.
  func text(_ arguments: DemoArguments?, inFormOf schema: JSONValue) -> String {
    guard let arguments else { return DemoInstance.make(schema).jsonText }
    guard case .value(let value) = arguments, schema["properties"]?["call"] != nil else {
      return argumentText(arguments)
    }
    let call: JSONValue = ["call": ["name": .string(name), "arguments": value]]
    return call.jsonText
  }

  private func freeText(_ arguments: DemoArguments?) -> String? {
    if case .value(.string(let text)) = arguments { return text }
    return isFreeForm ? "" : nil
  }

  private func argumentText(_ arguments: DemoArguments?) -> String {
    switch arguments {
    case .value(let value): value.jsonText
    case .unreadable(let text): text
    case nil: parameters.map { DemoInstance.make($0).jsonText } ?? "{}"
    }
  }
}
