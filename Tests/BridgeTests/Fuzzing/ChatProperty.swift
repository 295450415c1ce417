// Requests for completions of chats and of texts and for responses: refused with an error that a client understands, or turned
// into calls that Codex can read.

@testable import Bridge

enum ChatProperty {
  /// Codex drops a line that is nested deeper without an answer (app-server, measured with 0.163).
  private static let maxEngineDepth = 127

  static let profile = TurnProfile(
    workingDirectory: "/", sandbox: .workspaceWrite, networkAccess: true, webSearch: true, approvals: .never)

  private static let selectors = [
    ModelSelector(catalog: nil, defaultModel: nil, defaultEffort: "low"),
    ModelSelector(
      catalog: ModelCatalog(models: [
        EngineModel(
          id: "m", displayName: nil, efforts: ["low", "high"], defaultEffort: "low", isHidden: false,
          isDefault: true)
      ]), defaultModel: "m", defaultEffort: nil),
  ]

  static func check(_ bytes: [UInt8]) throws(Violation) {
    guard let body = try? JSONValue(parsing: bytes) else { return }
    let text = body.jsonBytes
    guard let again = try? JSONValue(parsing: text) else {
      throw Violation(description: "our own JSON is refused")
    }
    try require(again == body && again.jsonBytes == text, "JSON that reads back otherwise")
    for userIsSession in [true, false] {
      let asks = [
        try value { () throws(APIError) in try ChatRequest(body, userIsSession: userIsSession).ask },
        try value { () throws(APIError) in try CompletionRequest(body, userIsSession: userIsSession).ask },
      ]
      for case let ask? in asks { try check(ask) }
    }
    for ask in try ResponseProperty.asks(body) { try check(ask) }
  }

  private static func check(_ ask: Ask) throws(Violation) {
    try checkSession(ask)
    for selector in selectors {
      guard
        let selection = try value({ () throws(APIError) in
          try selector.select(ask.model, effort: ask.effort)
        })
      else { continue }
      try checkTurns(ask, selection)
      try checkTurns(withInlineImages(ask), selection)
    }
  }

  /// The value, or nil for a refusal that a client can act on.
  static func value<T>(_ body: () throws(APIError) -> T) throws(Violation) -> T? {
    do throws(APIError) {
      return try body()
    } catch {
      try require([400, 404].contains(error.status), "refused with \(error.status)")
      try require(!error.message.isEmpty, "refused without a word")
      guard (try? JSONValue(parsing: error.body.jsonBytes)) == error.body else {
        throw Violation(description: "an error that is no JSON")
      }
      return nil
    }
  }

  private static func checkSession(_ ask: Ask) throws(Violation) {
    for id in ask.sessions.map(\.id) {
      try require(!id.isEmpty && id.utf8.count <= 256, "a session id of \(id.utf8.count) bytes")
      try require(id.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a session id that breaks a header")
    }
  }

  /// As the image resolver leaves a request.
  private static func withInlineImages(_ ask: Ask) -> Ask {
    var ask = ask
    for index in ask.conversation.items.indices {
      ask.conversation.items[index].parts = ask.conversation.items[index].parts.map { part in
        if case .image = part { .image("data:image/png;base64,AA==") } else { part }
      }
    }
    return ask
  }

  private static func checkTurns(_ ask: Ask, _ selection: ModelSelection) throws(Violation) {
    let thread = ThreadID("t")
    let turns = [
      try value { () throws(APIError) in try TurnPlanner.oneOff(ask, selection) },
      try value { () throws(APIError) in try TurnPlanner.firstOfSession(ask, selection) },
      try value { () throws(APIError) in
        try TurnPlanner.nextOfSession(ask, selection, on: ThreadRecord(id: thread), prompt: nil)
      },
    ]
    for case let turn? in turns {
      try checkCall(CodexPayload.threadStart(turn, profile))
      try checkCall(CodexPayload.threadResume(thread, request: turn, profile: profile))
      try checkCall(CodexPayload.turnStart(turn, on: thread, summary: .auto))
      try checkCall(["threadId": "t", "items": .array(turn.history.map { CodexPayload.item($0) })])
    }
  }

  /// One line of valid UTF-8 and JSON, without surrogates and not nested too deeply.
  private static func checkCall(_ params: JSONValue) throws(Violation) {
    let call: JSONValue = ["id": 1, "method": "m", "params": params]
    let line = call.jsonBytes
    try require(String(validating: line, as: UTF8.self) != nil, "a call that is not UTF-8")
    try require(!line.contains { $0 < 0x20 }, "a call of several lines")
    let depth = try depth(of: line)
    try require(depth <= maxEngineDepth, "a call nested \(depth) levels deep")
    // The bridge's own parser counts from 0 and stops before the engine's.
    guard depth <= JSONScanner.maxDepth else { return }
    try require((try? JSONValue(parsing: line)) == call, "a call that reads back otherwise")
  }

  /// How deep a line is nested, counted without the parser under test.
  private static func depth(of line: [UInt8]) throws(Violation) -> Int {
    var depth = 0
    var deepest = 0
    var isInString = false
    var isEscaped = false
    for (index, byte) in line.enumerated() {
      switch byte {
      case _ where isEscaped:
        isEscaped = false
        // Control characters are all that must be written as numbers.
        guard byte == UInt8(ascii: "u") else { continue }
        try require(line.dropFirst(index + 1).starts(with: "00".utf8), "an escape that may be a surrogate")
      case UInt8(ascii: "\\"): isEscaped = true
      case UInt8(ascii: "\""): isInString.toggle()
      case UInt8(ascii: "{") where !isInString, UInt8(ascii: "[") where !isInString:
        depth += 1
        deepest = max(deepest, depth)
      case UInt8(ascii: "}") where !isInString, UInt8(ascii: "]") where !isInString: depth -= 1
      default: continue
      }
    }
    try require(depth == 0 && !isInString, "a call that does not end")
    return deepest
  }
}
