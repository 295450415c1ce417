// The functions of a request, in the forms of both OpenAI APIs and in the older one (OpenAI API reference, "Function
// calling").

/// Reads `tools`, `tool_choice` and what belongs to them.
struct ToolFields {
  /// Clients of many MCP servers send hundreds.
  static let maxTools = 2048
  /// OpenAI allows 64 characters; servers of tools put their own name before each.
  private static let maxNameBytes = 256
  /// As long as a whole prompt may be.
  private static let maxDescriptionBytes = 256 << 10
  /// Names, descriptions and schemas of all functions. No model reads more; with more, the values of the schemas take longer
  /// to let go of than the loop may be held up.
  private static let maxBytes = 2 << 20
  /// What asks for web search instead of naming a function.
  private static let webSearchTypes: Set<String> = [
    "web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11",
  ]

  /// What a client calls a function that stands in a namespace.
  struct NamespacedName: Sendable, Equatable {
    let namespace: String
    let name: String

    /// What it is called here.
    var full: String { "\(namespace)__\(name)" }
  }

  var tools = Conversation.Tools()
  /// The functions that stand in namespaces, by what they are called here.
  var namespaced: [String: NamespacedName] = [:]
  /// Fields that ask for web search.
  var webSearchFields: [String] = []
  /// Whether the functions came in the older form, in which an answer calls one at most.
  var isLegacy = false
  /// Fields that have no effect.
  var ignored: [String] = []

  /// Reads the fields of a request, and `more` lists of tools. `dropsOthers`: tools of kinds that nobody can offer are left out
  /// instead of refused.
  init(_ request: FieldReader, more: [FieldReader] = [], dropsOthers: Bool = false) throws(APIError) {
    var names: Set<String> = []
    for list in (request.optional("tools").map { [$0] } ?? []) + more {
      try read(tools: list, &names, dropsOthers)
    }
    try readLegacy(request)
    if request.optional("web_search_options") != nil { webSearchFields.append("web_search_options") }
    if let parallel = request.optional("parallel_tool_calls") { tools.isParallel = try parallel.bool() }
    if isLegacy { tools.isParallel = false }
    if let choice = request.optional("tool_choice") {
      try read(choice: choice)
    } else if let choice = request.optional("function_call") {
      try read(legacyChoice: choice)
    }
  }

  private mutating func read(
    tools list: FieldReader, _ names: inout Set<String>, _ dropsOthers: Bool
  ) throws(APIError) {
    for entry in try list.array(atMost: Self.maxTools) {
      _ = try entry.object()
      let type = entry.optional("type")
      let name = try type?.shortString() ?? "function"
      if Self.webSearchTypes.contains(name) {
        if webSearchFields.isEmpty { webSearchFields.append(entry.path) }
        continue
      }
      if name == "namespace" {
        try read(namespace: entry, &names, dropsOthers)
        continue
      }
      guard name == "function" else {
        if dropsOthers {
          ignored.append(entry.path)
          continue
        }
        throw .invalid(
          "Tools of type '\(name)' are not supported: only functions are.", param: type?.path ?? entry.path,
          code: "unsupported_tool")
      }
      tools.functions.append(try Self.function(entry.optional("function") ?? entry, &names))
    }
    try checkSize(list)
  }

  /// The functions of a namespace. What is in it besides is left out, or refused.
  private mutating func read(
    namespace entry: FieldReader, _ names: inout Set<String>, _ dropsOthers: Bool
  ) throws(APIError) {
    let namespace = try entry.required("name").shortString(maxBytes: Self.maxNameBytes / 2)
    for tool in try entry.required("tools").array(atMost: Self.maxTools) {
      guard try tool.optional("type")?.shortString() ?? "function" == "function" else {
        guard dropsOthers else {
          throw .invalid(
            "Only functions are supported in a namespace.", param: "\(tool.path).type", code: "unsupported_tool")
        }
        ignored.append(tool.path)
        continue
      }
      var inner = try Self.function(tool.optional("function") ?? tool, inside: namespace, &names)
      if inner.description.isEmpty { inner.description = entry.value["description"]?.stringValue ?? "" }
      tools.functions.append(inner)
      namespaced[inner.name] = NamespacedName(
        namespace: namespace, name: String(inner.name.dropFirst(namespace.count + 2)))
    }
  }

  private func checkSize(_ list: FieldReader) throws(APIError) {
    var rest = Self.maxBytes
    for tool in tools.functions {
      rest -= tool.name.utf8.count + tool.description.utf8.count
      guard tool.parameters.isCounted(within: &rest) else {
        throw .invalid(
          "The functions in '\(list.path)' are longer than \(Self.maxBytes) bytes together.", param: list.path)
      }
    }
  }

  private mutating func readLegacy(_ request: FieldReader) throws(APIError) {
    guard let list = request.optional("functions") else { return }
    let entries = try list.array(atMost: Self.maxTools)
    guard tools.functions.isEmpty else { return ignored.append("functions") }
    var names: Set<String> = []
    for entry in entries { tools.functions.append(try Self.function(entry, &names)) }
    try checkSize(list)
    isLegacy = !tools.functions.isEmpty
  }

  private static func function(
    _ reader: FieldReader, inside namespace: String? = nil, _ names: inout Set<String>
  ) throws(APIError) -> Conversation.Tool {
    _ = try reader.object()
    let name = try reader.required("name")
    let own = try name.shortString(maxBytes: maxNameBytes)
    guard !own.isEmpty else { throw .invalid("'\(name.path)' must not be empty.", param: name.path) }
    let text = namespace.map { NamespacedName(namespace: $0, name: own).full } ?? own
    guard names.insert(text).inserted else {
      throw .invalid("'\(name.path)' repeats the name of an earlier function.", param: name.path)
    }
    let description = try reader.optional("description")?.shortString(maxBytes: maxDescriptionBytes) ?? ""
    return Conversation.Tool(
      name: text, description: description, parameters: try parameters(of: reader),
      isStrict: try reader.optional("strict")?.bool() ?? false)
  }

  private static func parameters(of reader: FieldReader) throws(APIError) -> JSONValue {
    guard let schema = reader.optional("parameters") else { return ["type": "object", "properties": [:]] }
    var object = try schema.object()
    guard let type = object["type"], !type.isNull else {
      object["type"] = "object"
      return .object(object)
    }
    if let types = type.arrayValue, types.contains("object") {
      object["type"] = "object"
      return .object(object)
    }
    guard type == "object" else {
      throw .invalid("'\(schema.path)' must be a JSON schema of type object.", param: schema.path)
    }
    return schema.value
  }

  // MARK: The choice

  private mutating func read(choice: FieldReader) throws(APIError) {
    if choice.value.stringValue != nil { return try read(mode: choice, namedBy: "tool_choice") }
    _ = try choice.object()
    let type = try choice.required("type")
    switch try type.shortString() {
    case "function": try read(name: try (choice.optional("function") ?? choice).required("name"))
    case "allowed_tools":
      let allowed = choice.optional("allowed_tools") ?? choice
      let mode = try allowed.required("mode")
      try keepOnly(try allowed.required("tools"))
      try read(mode: mode, namedBy: mode.path)
    case "auto", "none", "required", "any": try read(mode: type, namedBy: type.path)
    // A choice of web search, or of another kind of tool that cannot have been offered.
    default: ignored.append("tool_choice")
    }
  }

  private mutating func read(mode: FieldReader, namedBy path: String) throws(APIError) {
    switch try mode.shortString() {
    case "auto": tools.choice = .auto
    case "none": tools.choice = .none
    case "required", "any":
      guard !tools.functions.isEmpty else {
        throw .invalid("'\(path)' asks for a call, but there is no function to call.", param: path)
      }
      tools.choice = .required
    default:
      throw .invalid("Invalid value for '\(path)': expected auto, none, required or a function.", param: path)
    }
  }

  private mutating func read(name: FieldReader) throws(APIError) {
    let text = try name.shortString(maxBytes: Self.maxNameBytes)
    guard tools.functions.contains(where: { $0.name == text }) else {
      throw .invalid("'\(name.path)' names a function that is not among the tools.", param: name.path)
    }
    tools.choice = .named(text)
  }

  private mutating func keepOnly(_ list: FieldReader) throws(APIError) {
    var allowed: Set<String> = []
    for entry in try list.array(atMost: Self.maxTools) {
      guard try (entry.optional("type")?.shortString() ?? "function") == "function" else { continue }
      allowed.insert(try (entry.optional("function") ?? entry).required("name").shortString())
    }
    tools.functions.removeAll { !allowed.contains($0.name) }
  }

  private mutating func read(legacyChoice choice: FieldReader) throws(APIError) {
    if choice.value.stringValue != nil { return try read(mode: choice, namedBy: "function_call") }
    _ = try choice.object()
    try read(name: try choice.required("name"))
  }
}

extension Ask {
  /// Takes what is said of functions.
  mutating func take(_ fields: ToolFields) {
    conversation.tools = fields.tools
    webSearchFields = fields.webSearchFields
    if !fields.tools.functions.isEmpty {
      toolSet = ToolSet(fields.tools.functions)
      forcedCall = ForcedCall(fields.tools)
    }
    // The model is asked for the call, and may do something else.
    let unforced = fields.tools.mustCall && forcedCall == nil ? ["tool_choice"] : []
    ignored = fields.ignored + unforced + ignored
  }
}
