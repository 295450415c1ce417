// A turn as a test tells it: notifications in, events out, and the two texts that they are for people.

@testable import Bridge

/// The notifications of a turn by name, as short as a test wants them.
struct TurnScript {
  var mapper: TurnEventMapper
  var events: [TurnEvent] = []

  private let shown: AnswerParagraphs.Shown

  init(showsActivity: Bool = false, baseline: TokenUsage? = nil) {
    mapper = TurnEventMapper(baseline: baseline)
    shown = AnswerParagraphs.Shown(tools: showsActivity)
  }

  mutating func map(_ method: String, _ params: JSONValue) { events += mapper.map(method, params) }

  mutating func started(
    _ id: String, _ type: String = "agentMessage", phase: String? = nil, _ more: JSONValue = [:]
  ) {
    map("item/started", ["item": item(id, type, phase, more)])
  }

  mutating func completed(_ id: String, _ text: String, phase: String? = nil) {
    map("item/completed", ["item": item(id, "agentMessage", phase, ["text": .string(text)])])
  }

  mutating func completed(_ id: String, type: String, _ more: JSONValue = [:]) {
    map("item/completed", ["item": item(id, type, nil, more)])
  }

  mutating func delta(_ id: String, _ text: String) {
    let text = EscapedText(text)
    let placement = mapper.delta(
      text.raw.utf8.span, hasEscapes: text.hasEscapes, of: mapper.message(id.utf8.span))
    events += placement.events(text)
  }

  mutating func thought(_ id: String, _ text: String, part: Int = 0) {
    map(
      "item/reasoning/summaryTextDelta",
      ["itemId": .string(id), "delta": .string(text), "summaryIndex": .int(part)])
  }

  mutating func part(_ id: String, _ index: Int) {
    map("item/reasoning/summaryPartAdded", ["itemId": .string(id), "summaryIndex": .int(index)])
  }

  mutating func usage(_ input: Int, _ output: Int, cached: Int = 0, reasoning: Int = 0) {
    map("thread/tokenUsage/updated", Self.usage(input, output, cached: cached, reasoning: reasoning))
  }

  mutating func retry() {
    map("error", ["willRetry": true, "error": ["message": "Reconnecting... 1/5"]])
  }

  static func usage(_ input: Int, _ output: Int, cached: Int = 0, reasoning: Int = 0) -> JSONValue {
    [
      "tokenUsage": [
        "total": [
          "inputTokens": .int(input), "outputTokens": .int(output), "cachedInputTokens": .int(cached),
          "reasoningOutputTokens": .int(reasoning), "totalTokens": .int(input + output),
        ],
        "last": ["inputTokens": 1, "outputTokens": 1],
      ]
    ]
  }

  private func item(_ id: String, _ type: String, _ phase: String?, _ more: JSONValue) -> JSONValue {
    var object = more.objectValue ?? JSONObject()
    object["id"] = .string(id)
    object["type"] = .string(type)
    if type == "agentMessage" {
      object["phase"] = .text(phase)
      if object["text"] == nil { object["text"] = "" }
    }
    return .object(object)
  }

  /// The answer as a client sees it that can take back what is void.
  var answer: String {
    var paragraphs = AnswerParagraphs(shown)
    var text = ""
    var kept = ""
    for event in events {
      if let (piece, channel) = event.text {
        let isParagraph = paragraphs.needsBlankLine(before: channel)
        if channel == .answer { text += (isParagraph ? "\n\n" : "") + piece.text }
      } else {
        _ = paragraphs.take(event)
      }
      if case .usage = event { kept = text }
      if case .answerRetracted = event { text = kept }
    }
    return text
  }

  /// What is told beside it.
  var aside: String {
    var paragraphs = AnswerParagraphs(shown)
    return events.map { event in
      guard let (piece, channel) = event.text else { return paragraphs.take(event) ?? "" }
      let isParagraph = paragraphs.needsBlankLine(before: channel)
      return channel == .answer ? "" : (isParagraph ? "\n\n" : "") + piece.text
    }.joined()
  }

  /// The line about the tool that began last.
  var currentTool: String? { mapper.tools.latest.map { ActivityText.line($0) } }

  var retractions: Int { events.count { $0 == .answerRetracted } }
}
