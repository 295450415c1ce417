// A response stream as a strict client reads it.

@testable import Bridge

/// The events of one streamed response, and what is wrong with them. The texts of the events are put together as a client does,
/// and have to be what the last event says.
struct ResponseEvents: Sendable {
  private(set) var events: [JSONValue] = []
  private(set) var comments: [String] = []
  /// Every rule of responses.md §2 and §3 that was broken, in words.
  private(set) var problems: [String] = []
  /// The items that were told, as they are in the end; null for one under way.
  private(set) var items: [JSONValue] = []

  /// What was told of the item under way at each place.
  private var open: [Int: Item] = [:]
  private var lines: (name: String?, data: String?) = (nil, nil)
  private var next: Int
  private let isWhole: Bool

  private struct Item {
    let id: JSONValue?
    let type: String
    var parts: [Part] = []
    var arguments = ""
  }

  private struct Part {
    var text = ""
    var isTextDone = false
    var isDone = false
  }

  /// Reads the decoded body of a stream, which begins behind the event of a number if there is one.
  init(_ body: String, after lastSeen: Int? = nil) {
    next = (lastSeen ?? -1) + 1
    isWhole = lastSeen == nil
    if !body.hasSuffix("\n\n") { problems.append("the stream does not end with an empty line") }
    for line in Array(body.utf8).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
    {
      read(line: String(decoding: line, as: UTF8.self))
    }
    checkEnd()
  }

  /// Reads the messages of a WebSocket.
  init(messages: [String]) {
    (next, isWhole) = (0, true)
    for message in messages { read(data: message, name: nil) }
    checkEnd()
  }

  var types: [String] { events.compactMap { $0["type"]?.stringValue } }
  var numbers: [Int] { events.compactMap { $0["sequence_number"]?.intValue } }
  /// The response in the last event.
  var response: JSONValue? { events.last?["response"] }
  var id: String? { events.first?["response"]?["id"]?.stringValue }

  /// The events of a type.
  func all(_ type: String) -> [JSONValue] { events.filter { $0["type"]?.stringValue == type } }

  /// The pieces of the answer.
  var deltas: [String] { all("response.output_text.delta").compactMap { $0["delta"]?.stringValue } }
  /// The texts of the reasoning.
  var summaries: [String] {
    all("response.reasoning_summary_text.done").compactMap { $0["text"]?.stringValue }
  }

  // MARK: Lines

  private mutating func read(line: String) {
    switch line {
    case _ where line.hasPrefix(": "): comments.append(String(line.dropFirst(2)))
    case _ where line.hasPrefix("event: ") && lines.name == nil: lines.name = String(line.dropFirst(7))
    case _ where line.hasPrefix("data: ") && lines.data == nil: lines.data = String(line.dropFirst(6))
    case "":
      // Behind a comment it would be an event without data.
      guard let name = lines.name, let data = lines.data else {
        return problems.append("an event without both lines")
      }
      lines = (nil, nil)
      read(data: data, name: name)
    default: problems.append("neither event, data nor comment: “\(line)”")
    }
  }

  private mutating func read(data: String, name: String?) {
    guard let event = try? JSONValue(parsing: data), let type = event["type"]?.stringValue else {
      return problems.append("no JSON with a type: “\(data)”")
    }
    if let name, name != type { problems.append("the event \(name) says it is \(type)") }
    if !data.hasPrefix(#"{"type":"\#(type)","sequence_number":\#(next)"#) {
      problems.append("\(type) does not begin with its type and the number \(next)")
    }
    next += 1
    events.append(event)
    if isWhole { check(type, event) }
  }

  // MARK: The sequence

  private mutating func check(_ type: String, _ event: JSONValue) {
    let expected = ["response.created", "response.in_progress"]
    if events.count <= 2, type != expected[events.count - 1] { problems.append("\(type) at \(events.count - 1)") }
    if let response = event["response"] { check(response, in: type) }
    switch type {
    case "response.output_item.added": begin(event)
    case "response.output_item.done": finish(event)
    case "response.content_part.added", "response.reasoning_summary_part.added": beginPart(type, event)
    case "response.output_text.delta", "response.reasoning_summary_text.delta":
      inPart(type, event) {
        $0.text += event["delta"]?.stringValue ?? ""
        return nil
      }
      if type == "response.output_text.delta", event["logprobs"] != [] {
        problems.append("\(type) without logprobs")
      }
    case "response.output_text.done", "response.reasoning_summary_text.done":
      inPart(type, event) {
        guard event["text"] == .string($0.text), !$0.isTextDone else { return "another text" }
        $0.isTextDone = true
        return nil
      }
    case "response.content_part.done", "response.reasoning_summary_part.done":
      inPart(type, event) {
        guard event["part"]?["text"] == .string($0.text), $0.isTextDone, !$0.isDone else { return "another part" }
        $0.isDone = true
        return nil
      }
    case "response.function_call_arguments.delta":
      inItem(type, event) {
        $0.arguments += event["delta"]?.stringValue ?? ""
        return nil
      }
    case "response.function_call_arguments.done", "response.mcp_call_arguments.done":
      inItem(type, event) {
        if $0.type == "mcp_call" { $0.arguments = event["arguments"]?.stringValue ?? "" }
        return event["arguments"] == .string($0.arguments) ? nil : "other arguments"
      }
    default: break
    }
  }

  private mutating func check(_ response: JSONValue, in type: String) {
    if response["id"] != events.first?["response"]?["id"] { problems.append("another id in \(type)") }
    for name in Self.members where response[name] == nil { problems.append("\(type) without \(name)") }
    if ["response.created", "response.in_progress"].contains(type), response["output"] != [] {
      problems.append("output in \(type)")
    }
  }

  /// What every object of a response has (§2).
  static let members = [
    "id", "object", "created_at", "completed_at", "status", "output", "error", "incomplete_details", "usage",
    "model", "instructions", "previous_response_id", "max_output_tokens", "max_tool_calls", "prompt_cache_key",
    "safety_identifier", "user", "metadata", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning",
    "store", "background", "truncation", "service_tier", "temperature", "top_p", "top_logprobs",
    "presence_penalty", "frequency_penalty",
  ]

  private mutating func begin(_ event: JSONValue) {
    let item = event["item"] ?? .null
    if event["output_index"]?.intValue != items.count {
      problems.append("the item at \(items.count) is elsewhere")
    }
    if items.contains(where: { $0["id"] == item["id"] }) || open.values.contains(where: { $0.id == item["id"] }) {
      problems.append("an id that was there before")
    }
    if item["status"] != "in_progress" { problems.append("an item that begins \(item["status"] ?? .null)") }
    for name in ["content", "summary"] where item[name] != nil && item[name] != [] {
      problems.append("an item begins with \(name)")
    }
    if let arguments = item["arguments"], arguments != "" { problems.append("an item begins with arguments") }
    open[items.count] = Item(id: item["id"], type: item["type"]?.stringValue ?? "")
    items.append(.null)
  }

  /// `body` returns what is wrong.
  private mutating func inItem(_ type: String, _ event: JSONValue, _ body: (inout Item) -> String?) {
    guard let index = event["output_index"]?.intValue, var item = open[index] else {
      return problems.append("\(type) of no item that is under way")
    }
    if event["item_id"] != item.id { problems.append("\(type) with the id of another item") }
    if let problem = body(&item) { problems.append("\(type): \(problem)") }
    open[index] = item
  }

  private mutating func beginPart(_ type: String, _ event: JSONValue) {
    let number = Self.part(event)
    inItem(type, event) {
      guard number == $0.parts.count, event["part"]?["text"] == "" else {
        return "not the next part, or not empty"
      }
      $0.parts.append(Part())
      return nil
    }
  }

  private mutating func inPart(_ type: String, _ event: JSONValue, _ body: (inout Part) -> String?) {
    let number = Self.part(event)
    inItem(type, event) {
      guard let number, $0.parts.indices.contains(number) else { return "no such part" }
      guard !$0.parts[number].isDone else { return "the part has ended" }
      return body(&$0.parts[number])
    }
  }

  private static func part(_ event: JSONValue) -> Int? {
    (event["content_index"] ?? event["summary_index"])?.intValue
  }

  private mutating func finish(_ event: JSONValue) {
    let done = event["item"] ?? .null
    guard let index = event["output_index"]?.intValue, let item = open.removeValue(forKey: index) else {
      return problems.append("the end of no item that is under way")
    }
    if done["id"] != item.id || done["type"]?.stringValue != item.type {
      problems.append("the end of another item")
    }
    if done["status"] == "in_progress" { problems.append("an item that has ended is in progress") }
    if item.parts.contains(where: { !$0.isDone }) { problems.append("an item has ended before its part") }
    if let parts = (done["content"] ?? done["summary"])?.arrayValue,
      parts.map({ $0["text"]?.stringValue }) != item.parts.map(\.text)
    {
      problems.append("an item whose texts are others than were told")
    }
    if let arguments = done["arguments"], arguments.stringValue != item.arguments {
      problems.append("an item whose arguments are others than were told")
    }
    items[index] = done
  }

  private mutating func checkEnd() {
    let last = types.last ?? ""
    guard ["response.completed", "response.incomplete", "response.failed"].contains(last) else {
      return problems.append("the last event is “\(last)”")
    }
    if types.count(where: { ["response.completed", "response.incomplete", "response.failed"].contains($0) }) != 1 {
      problems.append("several ends")
    }
    guard isWhole else { return }
    if !open.isEmpty { problems.append("items that have not ended") }
    if response?["output"] != .array(items) { problems.append("the output is another than was told") }
    if last == "response.failed", types.dropLast().last != "error" { problems.append("failed without an error") }
  }
}
