// A request to the model, as far as the stand-in looks at it. Pure.

/// A request that Codex sent to the model.
struct DemoInput: Sendable {
  let body: JSONValue
  private let items: [JSONValue]

  init(_ body: JSONValue) {
    self.body = body
    items = body["input"]?.arrayValue ?? []
  }

  /// Where the last message of the user stands. What Codex says in the user's role after an interrupt is none.
  private var lastUserIndex: Int? {
    items.lastIndex { $0["role"] == "user" && !Self.text($0).hasPrefix("<turn_aborted>") }
  }

  /// The text of the last user message.
  var lastUserText: String { lastUserIndex.map { Self.text(items[$0]) } ?? "" }

  /// What the user said before that.
  var earlierUserTexts: [String] {
    items.filter { $0["role"]?.stringValue == "user" }.dropLast().map(Self.text).filter { text in
      // Codex describes its environment and its instruction files to the model in messages of the same role.
      !["<", "# AGENTS.md"].contains { text.hasPrefix($0) }
    }
  }

  /// How often the model has been called for the last user message: each time, outputs of tools came back.
  var finishedRounds: Int {
    var rounds = 0
    var isAfterOutput = false
    for item in items[(lastUserIndex.map { $0 + 1 } ?? 0)...] where Self.isOutput(item) || Self.isOfModel(item) {
      if Self.isOutput(item), !isAfterOutput { rounds += 1 }
      isAfterOutput = Self.isOutput(item)
    }
    return rounds
  }

  /// What tools gave since the model was called before, in the order of the input.
  var newOutputs: [DemoOutput] {
    let start = items.lastIndex(where: Self.isOfModel).map { $0 + 1 } ?? 0
    var calls: [String: [JSONValue]] = [:]
    for item in items where Self.isOfModel(item) {
      calls[item["call_id"]?.stringValue ?? "", default: []].append(item)
    }
    return items[start...].filter(Self.isOutput).map { item in
      let id = item["call_id"]?.stringValue ?? ""
      let call = calls[id]?.first
      // Of calls with one id, each has an output of its own.
      if let count = calls[id]?.count, count > 1 { calls[id]?.removeFirst() }
      return DemoOutput(item, name: call?["name"]?.stringValue ?? id)
    }
  }

  private static func isOutput(_ item: JSONValue) -> Bool {
    item["type"]?.stringValue?.hasSuffix("_output") == true
  }

  /// Whether the model wrote it.
  private static func isOfModel(_ item: JSONValue) -> Bool {
    guard let type = item["type"]?.stringValue else { return item["role"] == "assistant" }
    return item["role"] == "assistant" || type == "reasoning" || type.hasSuffix("_call")
  }

  /// All messages, as a line `role: text` each.
  var history: String {
    items.filter { $0["type"]?.stringValue == "message" || $0["role"] != nil }
      .map { "\($0["role"]?.stringValue ?? "?"): \(Self.text($0))" }.joined(separator: "\n")
  }

  /// The JSON schema that the answer must follow; nil for text.
  var schema: JSONValue? { body["text"]?["format"]?["schema"] }

  /// Whether the last message asks for an answer in the form of a call.
  var wantsCallAsAnswer: Bool {
    items.last { $0["role"] != nil }.map { Self.text($0).contains(ForcedCall.whoCalls) } ?? false
  }

  var tools: [DemoTool] { DemoTool.offered(in: body) }

  private static func text(_ item: JSONValue) -> String {
    if let text = item["content"]?.stringValue { return text }
    return (item["content"]?.arrayValue ?? []).compactMap { part in
      part["text"]?.stringValue ?? part["type"]?.stringValue.map { "[\($0)]" }
    }.joined(separator: "\n")
  }
}

/// What a tool gave.
struct DemoOutput: Sendable, Equatable {
  /// In characters: what is longer is told by its length and its end.
  static let longestShown = 1000
  private static let shownEnd = 20

  let name: String
  let text: String
  let imageCount: Int

  init(_ item: JSONValue, name: String) {
    self.name = name
    let parts = item["output"]?.arrayValue ?? []
    text = item["output"]?.stringValue ?? parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
    imageCount = parts.count { $0["type"] == "input_image" }
  }

  /// A sentence about it. The output of a command is told whole.
  var told: String {
    if ["exec_command", "exec"].contains(name) { return "The command printed: \(text)" }
    let images = imageCount == 0 ? "" : " and showed \(imageCount) image\(imageCount == 1 ? "" : "s")"
    guard text.count > Self.longestShown else { return "\(name) said\(images): \(text)" }
    return "\(name) said \(text.count) characters\(images), the last are “\(text.suffix(Self.shownEnd))”"
  }
}
