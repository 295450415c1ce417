// The items of a response's output, as objects (OpenAI API reference, "The response object").

/// The ids of a response and of its items. Those of the items follow from that of the response, so that whoever renders the same
/// events again gives them the same.
struct ResponseIDs: Sendable, Equatable {
  /// How the id of a response begins.
  static let prefix: StaticString = "resp_"
  /// How many random characters follow.
  static let randomLength = 32

  let response: String
  /// What the ids of the items have in common with it.
  private let core: String

  init(_ response: String) {
    self.response = response
    core = String(response.dropFirst(Self.prefix.utf8CodeUnitCount))
  }

  /// The id of an output item; `number` is unique within the response.
  func item(_ prefix: StaticString, _ number: Int) -> String { "\(prefix)\(core)\(number)" }

  /// The id of an item of the input, which the client has not named.
  func input(_ prefix: StaticString, _ number: Int) -> String { "\(prefix)\(core)in\(number)" }
}

/// An item of the output. Its texts are still escaped as in JSON.
struct ResponseItem: Sendable {
  enum Status: String, Sendable {
    case inProgress = "in_progress"
    case completed
    /// The answer has ended before the item.
    case incomplete
  }

  /// What is told of something that Codex does, in the form of a call of a tool of a server named `codex`.
  struct Activity: Sendable, Equatable {
    let use: ToolUse
    var outcome: ToolOutcome?
  }

  enum Content: Sendable {
    case message(EscapedText, isCommentary: Bool)
    /// Summaries of the model's reasoning, and what Codex does meanwhile, a part each.
    case reasoning([Part])
    /// With the name that its client knows the function by, if that stands in a namespace.
    case call(Conversation.ToolCall, ToolFields.NamespacedName?)
    case activity(Activity)
  }

  /// A part of a reasoning item.
  struct Part: Sendable, Equatable {
    let text: EscapedText
    /// Whether the model has said it about its work: then it may yet become the answer.
    let isCommentary: Bool
  }

  let id: String
  var content: Content
  var status = Status.inProgress

  var isMessage: Bool { if case .message = content { true } else { false } }

  /// The item as it is.
  var object: JSONValue { object(isBeginning: false) }

  /// The item as it is told when it begins: without what will be told piece by piece.
  var beginning: JSONValue { object(isBeginning: true) }

  private func object(isBeginning: Bool) -> JSONValue {
    switch content {
    case .message(let text, let isCommentary):
      var object = members("message", isBeginning)
      object["role"] = "assistant"
      object["content"] = isBeginning ? [] : [Self.textPart(text)]
      if isCommentary { object["phase"] = "commentary" }
      return .object(object)
    case .reasoning(let parts):
      var object = members("reasoning", isBeginning)
      object["summary"] = .array(isBeginning ? [] : parts.map { Self.summaryPart($0.text) })
      return .object(object)
    case .call(let call, let name):
      var object = members("function_call", isBeginning)
      object["call_id"] = .string(call.id)
      object["name"] = .string(name?.name ?? call.name)
      if let name { object["namespace"] = .string(name.namespace) }
      object["arguments"] = isBeginning ? "" : .string(call.arguments)
      return .object(object)
    case .activity(let activity):
      var object = members("mcp_call", isBeginning)
      object["server_label"] = "codex"
      object["name"] = .string(activity.use.typeName)
      object["arguments"] = isBeginning ? "" : .string(activity.use.arguments.jsonText)
      object["output"] = .text(activity.outcome?.output)
      object["error"] = .text(activity.outcome?.fault)
      object["approval_request_id"] = .null
      return .object(object)
    }
  }

  private func members(_ type: JSONValue, _ isBeginning: Bool) -> JSONObject {
    var object = JSONObject()
    object["id"] = .string(id)
    object["type"] = type
    object["status"] = .string((isBeginning ? .inProgress : status).rawValue)
    return object
  }

  /// The part of a message that has this text.
  static func textPart(_ text: EscapedText) -> JSONValue {
    ["type": "output_text", "text": .string(text.text), "annotations": [], "logprobs": []]
  }

  /// A part of a reasoning item.
  static func summaryPart(_ text: EscapedText) -> JSONValue {
    ["type": "summary_text", "text": .string(text.text)]
  }
}

extension ToolUse {
  /// What it is called in an item.
  fileprivate var typeName: String {
    switch self {
    case .command: "command_execution"
    case .fileChange: "file_change"
    case .webSearch: "web_search"
    case .tool(let name, _): name.printable
    }
  }

  /// What is told of it in an item.
  var arguments: JSONValue {
    switch self {
    case .command(let text): ["command": .text(text)]
    case .fileChange(let paths, let count): ["paths": .array(paths.map { .string($0) }), "count": .int(count)]
    case .webSearch(let query): ["query": .string(query)]
    case .tool(let name, let server): ["tool": .string(name), "server": .text(server)]
    }
  }
}

extension ToolOutcome {
  fileprivate var output: String? {
    switch self {
    case .done: ""
    case .exited(let status): "Exit code \(status)"
    case .failed, .declined: nil
    }
  }

  fileprivate var fault: String? {
    switch self {
    case .done, .exited: nil
    case .failed: "It has failed."
    case .declined: "It was declined."
    }
  }

  /// Whether it has done what it was to do.
  var isFailure: Bool { fault != nil }
}
