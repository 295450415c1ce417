// Outputs that come when Codex has ended their turn, put where they belong among the items of its thread. Pure.

/// Puts outputs behind their calls.
///
/// Codex gives each open call of a turn that it ends an output of its own, which says that the call was aborted. An output that
/// came behind it would be a second one of the same call.
struct PlacedOutputs {
  /// Where a call stands, and its output, if it has one.
  private struct Place {
    let call: Int
    var output: Int?
  }

  private var found: ThreadItems
  /// By the ids of the calls. Where an id comes again the last call is meant: some models number their calls anew in each response.
  private var places: [String: Place] = [:]
  private let items: [JSONValue]
  /// Outputs of calls that have none, by the index of the call.
  private var added: [(call: Int, text: String)] = []

  /// The items of a thread, with outputs in place of what Codex has put behind their calls itself.
  static func place(_ outputs: [Conversation.ToolOutput], in texts: [String]) -> ThreadItems {
    guard !outputs.isEmpty else { return ThreadItems(texts: texts) }
    var placed = PlacedOutputs(texts)
    for output in outputs { placed.place(output) }
    return placed.whole
  }

  private init(_ texts: [String]) {
    found = ThreadItems(texts: texts)
    items = texts.map { (try? JSONValue(parsing: Array($0.utf8))) ?? .null }
    for (index, item) in items.enumerated() {
      guard let id = item["call_id"]?.stringValue else { continue }
      switch item["type"]?.stringValue {
      case "function_call" where item["namespace"]?.stringValue == ToolNames.namespace:
        places[id] = Place(call: index)
      case "function_call_output": places[id]?.output = index
      default: break
      }
    }
  }

  private mutating func place(_ output: Conversation.ToolOutput) {
    guard let place = places[output.callID] else { return }
    found.answeredCalls.insert(output.callID)
    let value = CodexPayload.item(.toolOutput(output))
    guard let index = place.output, case .object(var item) = items[index] else {
      added.append((place.call, value.jsonText))
      found.areChanged = true
      return
    }
    guard item["output"] != value["output"] else { return }
    item["output"] = value["output"]
    found.texts[index] = JSONValue.object(item).jsonText
    found.areChanged = true
  }

  /// Outputs follow all calls of their response.
  private var whole: ThreadItems {
    var whole = found
    for (call, text) in added.sorted(by: { $0.call > $1.call }) {
      let end = items[call...].firstIndex { $0["call_id"] == nil } ?? items.endIndex
      whole.texts.insert(text, at: end)
    }
    return whole
  }
}
