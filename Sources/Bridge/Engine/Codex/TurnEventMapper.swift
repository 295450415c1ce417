// Notifications of one turn to events. Pure: no I/O, no clock.
// Owns what must be remembered to tell each thing once: which items are under way, and what a retry would repeat.

/// Translates the notifications of one turn (app-server protocol, "thread/turn/item" model).
struct TurnEventMapper: Sendable {
  /// How a piece of text is to be told.
  enum Placement: Equatable {
    case hidden
    /// At once: it goes on with what its channel has told before.
    case next(TextChannel)
    /// After these events.
    case after([TurnEvent], TextChannel)

    /// The events that tell it.
    func events(_ text: EscapedText) -> [TurnEvent] {
      switch self {
      case .hidden: []
      case .next(let channel): [.text(text, channel)]
      case .after(let events, let channel): events + [.text(text, channel)]
      }
    }
  }

  private struct Item: Sendable {
    let id: String
    var kind: TurnItem
    let channel: TextChannel
    /// Whether its next text is the beginning of a further part.
    var beginsPart = false
    /// UTF-8 bytes of text that have come, to tell whether the end brings anything new.
    var sentBytes = 0
    /// A hash of those bytes (64-bit FNV-1a), to tell whether the end agrees with what has come.
    var sentHash = Span<UInt8>.fnv1aOfNothing

    init(_ id: String, _ kind: TurnItem) {
      self.id = id
      self.kind = kind
      channel = kind.channel
    }

    mutating func sent(_ escaped: Span<UInt8>, hasEscapes: Bool) {
      guard hasEscapes else { return sent(plain: escaped) }
      sent(plain: EscapedText(raw: String(decoding: escaped)).text.utf8.span)
    }

    private mutating func sent(plain: Span<UInt8>) {
      sentBytes += plain.count
      sentHash = plain.fnv1a(after: sentHash)
    }
  }

  /// The items that have been told to begin and not to end, one of each channel at most; -1 for none.
  private struct OpenItems: Sendable {
    private var answer = -1
    private var commentary = -1
    private var reasoning = -1

    subscript(_ channel: TextChannel) -> Int {
      get {
        switch channel {
        case .answer: answer
        case .commentary: commentary
        case .reasoning: reasoning
        }
      }
      set {
        switch channel {
        case .answer: answer = newValue
        case .commentary: commentary = newValue
        case .reasoning: reasoning = newValue
        }
      }
    }
  }

  private var items: [Item] = []
  /// Where the items stand: an answer may have tens of thousands.
  private var indices: [String: Int] = [:]
  private var open = OpenItems()
  /// The item that has told text last, while more of it can be told as it comes; -1 if there is none.
  private var current = -1
  private var answer = ToldAnswer.nothing
  private var beside = ToldBeside.nothing
  /// Commentary while there is no answer: it may turn out to be all that comes.
  private var commentary = TurnCommentary()
  private(set) var usage = TokenUsage()
  private var baseline: TokenUsage?
  /// Whether what the thread had used before is to be told from the first call: the thread was taken back.
  private let countsFromFirstCall: Bool
  /// What was told with the answers so far, each of which has ended with calls of functions.
  private var toldUsage = TokenUsage()
  /// What complete responses of the model have used since, on a thread that tells raw items; nil on others.
  private var responseUsage: TokenUsage?
  /// While one of these runs the engine's silence means nothing.
  private(set) var tools = RunningTools()

  /// `baseline` is what the thread had used before the turn, if that is known.
  init(baseline: TokenUsage?, countsFromFirstCall: Bool = false) {
    self.baseline = baseline
    self.countsFromFirstCall = countsFromFirstCall
  }

  /// Usage of this turn alone that was not told yet: the thread's total now without the total before.
  var turnUsage: TokenUsage { usage - (baseline ?? TokenUsage()) - toldUsage }

  /// The messages of commentary, whole, if no answer has come.
  var commentaryWithoutAnswer: [String] { answer == .nothing ? commentary.messages : [] }

  /// Whether the call of the model under way has said something that a retry would repeat.
  var hasSpokenInCall: Bool {
    if case .unfinished = answer { true } else { beside != .nothing }
  }

  // MARK: Calls of the client's functions

  /// A response of the model is complete and has used this.
  mutating func responded(_ usage: TokenUsage?) {
    guard let usage else { return }
    responseUsage = (responseUsage ?? TokenUsage()) + usage
  }

  /// The answer ends with calls of functions; what follows is another.
  mutating func handOut(_ calls: [Conversation.ToolCall]) -> [TurnEvent] {
    var events = end(of: .answer) + end(of: .commentary) + end(of: .reasoning)
    let messages = commentaryWithoutAnswer
    if !messages.isEmpty { events.append(.answerIsCommentary(messages)) }
    events.append(.toolCalls(OpenCalls(calls: calls, usage: responseUsage)))
    toldUsage = toldUsage + (responseUsage ?? TokenUsage())
    responseUsage = nil
    answer = .nothing
    beside = .nothing
    commentary = TurnCommentary()
    current = -1
    return events
  }

  // MARK: Text

  /// Where an item stands in the order in which they began; it keeps its place.
  struct ItemIndex: Equatable { fileprivate let number: Int }

  /// The message with an id, which begins here if it has not begun yet.
  mutating func message(_ id: Span<UInt8>) -> ItemIndex {
    // Mostly it is the last one.
    if let last = items.last, id.isEqual(to: last.id.utf8.span) { return ItemIndex(number: items.count - 1) }
    let id = id.text ?? ""
    // The start of an item may be suppressed; without it text counts as answer.
    return ItemIndex(number: indices[id] ?? add(id, .message(nil)))
  }

  /// Returns where the item stands.
  @discardableResult
  private mutating func add(_ id: String, _ kind: TurnItem) -> Int {
    items.append(Item(id, kind))
    indices[id] = items.count - 1
    return items.count - 1
  }

  /// Takes note of a piece of a message, still escaped, and says how to tell it.
  mutating func delta(_ text: Span<UInt8>, hasEscapes: Bool, of message: ItemIndex) -> Placement {
    place(text, hasEscapes: hasEscapes, itemAt: message.number)
  }

  private mutating func answerDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return tell(delta, itemAt: message(id.utf8.span).number)
  }

  private mutating func tell(_ text: String, itemAt index: Int) -> [TurnEvent] {
    let text = EscapedText(text)
    return place(text.raw.utf8.span, hasEscapes: text.hasEscapes, itemAt: index).events(text)
  }

  private mutating func place(_ text: Span<UInt8>, hasEscapes: Bool, itemAt index: Int) -> Placement {
    guard !text.isEmpty else { return .hidden }
    items[index].sent(text, hasEscapes: hasEscapes)
    return index == current ? .next(items[index].channel) : placeFirst(ofItemAt: index)
  }

  /// Places the first text of an item, or the first after something else.
  private mutating func placeFirst(ofItemAt index: Int) -> Placement {
    let channel = items[index].channel
    switch channel {
    case .answer: answer.tell()
    case .commentary, .reasoning: guard beside.tell() else { return .hidden }
    }
    current = index
    let events = beginning(ofItemAt: index)
    return events.isEmpty ? .next(channel) : .after(events, channel)
  }

  /// What has to be told before the next text of an item.
  private mutating func beginning(ofItemAt index: Int) -> [TurnEvent] {
    defer { items[index].beginsPart = false }
    let channel = items[index].channel
    guard open[channel] != index else { return items[index].beginsPart ? [.reasoningPart] : [] }
    let events = end(of: channel)
    open[channel] = index
    return events + [.itemBegan(items[index].kind)]
  }

  private mutating func end(itemAt index: Int) -> [TurnEvent] {
    let channel = items[index].channel
    return open[channel] == index ? end(of: channel) : []
  }

  /// Ends the item of a channel that is under way, if there is one.
  private mutating func end(of channel: TextChannel) -> [TurnEvent] {
    let index = open[channel]
    guard index >= 0 else { return [] }
    open[channel] = -1
    if current == index { current = -1 }
    return [.itemEnded(items[index].kind)]
  }

  // MARK: Notifications

  /// Events of any notification of this turn except its end. Unknown ones give none.
  mutating func map(_ method: String, _ params: JSONValue) -> [TurnEvent] {
    switch method {
    case Notification.itemStarted: itemStarted(params["item"] ?? .null)
    case Notification.itemCompleted: itemCompleted(params["item"] ?? .null)
    case Notification.answerDelta: answerDelta(params)
    case Notification.reasoningSummaryDelta, Notification.reasoningTextDelta:
      reasoningDelta(params)
    case Notification.reasoningSummaryPart: summaryPartAdded(params)
    case Notification.tokenUsage: tokenUsage(params)
    case Notification.error: error(params)
    default: []
    }
  }

  private mutating func itemStarted(_ item: JSONValue) -> [TurnEvent] {
    guard let id = item["id"]?.stringValue, let type = item["type"]?.stringValue else { return [] }
    switch type {
    case "agentMessage": add(id, .message(MessagePhase(item)))
    case "reasoning": add(id, .reasoning)
    default: return tools.began(id, type, item).map { [.tool($0)] } ?? []
    }
    return []
  }

  private mutating func itemCompleted(_ item: JSONValue) -> [TurnEvent] {
    guard let id = item["id"]?.stringValue, let type = item["type"]?.stringValue else { return [] }
    switch type {
    case "agentMessage": return messageCompleted(id, item)
    case "reasoning": return reasoningCompleted(id, item)
    default: return tools.ended(id, item).map { [.tool($0)] } ?? []
    }
  }

  /// A message that came without deltas, or with fewer than its text, is made whole at its end.
  private mutating func messageCompleted(_ id: String, _ item: JSONValue) -> [TurnEvent] {
    let text = item["text"]?.stringValue ?? ""
    let phase = MessagePhase(item)
    // The engine may not have told of its beginning.
    let index = indices[id] ?? add(id, .message(phase))
    if items[index].channel == .commentary, answer == .nothing { commentary.add(text) }
    let events = tellRest(text, itemAt: index)
    if items[index].kind == .message(nil), phase != .commentary { items[index].kind = .message(phase) }
    return events + end(itemAt: index)
  }

  private mutating func tellRest(_ text: String, itemAt index: Int) -> [TurnEvent] {
    let sent = items[index].sentBytes
    guard text.utf8.count >= sent, text.utf8.span.extracting(first: sent).fnv1a() == items[index].sentHash
    else {
      return contradicted(text, itemAt: index)
    }
    guard text.utf8.count > sent else { return [] }
    return tell(String(decoding: text.utf8.dropFirst(sent), as: UTF8.self), itemAt: index)
  }

  /// The engine ends a message with another text than it has sent: pieces were lost on the way. What has gone out is
  /// wrong and must not pass for an answer.
  private mutating func contradicted(_ text: String, itemAt index: Int) -> [TurnEvent] {
    guard case .answer = items[index].channel else { return [] }
    items[index].sentBytes = 0
    items[index].sentHash = Span<UInt8>.fnv1aOfNothing
    _ = answer.retract()
    forgetOpenAnswer()
    return [.answerRetracted] + tell(text, itemAt: index)
  }

  /// What was taken back does not end.
  private mutating func forgetOpenAnswer() {
    open[.answer] = -1
    current = -1
  }

  private mutating func reasoningCompleted(_ id: String, _ item: JSONValue) -> [TurnEvent] {
    guard let index = indices[id] else { return [] }
    var events: [TurnEvent] = []
    if items[index].sentBytes == 0 {
      for part in (item["summary"]?.arrayValue ?? []).compactMap(\.stringValue) {
        events += tell(part, itemAt: index)
        beginPart(ofItemAt: index)
      }
    }
    return events + end(itemAt: index)
  }

  private mutating func reasoningDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return tell(delta, itemAt: indices[id] ?? add(id, .reasoning))
  }

  /// A part without text is not told of.
  private mutating func summaryPartAdded(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue else { return [] }
    beginPart(ofItemAt: indices[id] ?? add(id, .reasoning))
    return []
  }

  private mutating func beginPart(ofItemAt index: Int) {
    items[index].beginsPart = true
    if current == index { current = -1 }
  }

  /// What a call has used is the difference it makes: the engine's own word for it may be that of an earlier call.
  private mutating func tokenUsage(_ params: JSONValue) -> [TurnEvent] {
    if countsFromFirstCall, baseline == nil, let total = TokenUsage(params["tokenUsage"]?["total"]),
      let last = TokenUsage(params["tokenUsage"]?["last"])
    {
      baseline = total - last
    }
    let before = usage == TokenUsage() ? baseline ?? usage : usage
    if let total = TokenUsage(params["tokenUsage"]?["total"]) { usage = total }
    answer.callEnded()
    beside.callEnded()
    commentary.keep()
    current = -1
    return [.usage(usage - before)]
  }

  /// Usage of an earlier turn, which the engine tells when it loads a thread.
  mutating func earlierUsage(_ params: JSONValue) {
    guard let total = TokenUsage(params["tokenUsage"]?["total"]) else { return }
    baseline = total
    if usage.total < total.total { usage = total }
  }

  /// The engine makes the call under way again; what it has said of it comes again as items of their own.
  private mutating func error(_ params: JSONValue) -> [TurnEvent] {
    guard params["willRetry"]?.boolValue == true else { return [] }
    commentary.dropRepeated()
    beside.retry()
    let isVoid = answer.retract()
    if isVoid { forgetOpenAnswer() }
    let ends = end(of: .answer) + end(of: .commentary) + end(of: .reasoning)
    return ends + (isVoid ? [.answerRetracted] : [])
  }
}

extension MessagePhase {
  /// Nil for a message without a phase, or with one that is not known.
  fileprivate init?(_ item: JSONValue) {
    switch item["phase"]?.stringValue {
    case "commentary": self = .commentary
    case "partial_answer": self = .partialAnswer
    case "final_answer": self = .finalAnswer
    default: return nil
    }
  }
}

extension TokenUsage {
  /// No thread uses as many; sums of what is less cannot overflow.
  private static let maxCount = 1 << 40

  /// `{"inputTokens":…,"cachedInputTokens":…,"outputTokens":…,"reasoningOutputTokens":…}`.
  init?(_ value: JSONValue?) {
    guard let value, let input = Self.count(value["inputTokens"]), let output = Self.count(value["outputTokens"])
    else {
      return nil
    }
    self.init(
      input: input,
      cachedInput: Self.count(value["cachedInputTokens"]) ?? 0,
      output: output,
      reasoningOutput: Self.count(value["reasoningOutputTokens"]) ?? 0
    )
  }

  private static func count(_ value: JSONValue?) -> Int? {
    value?.intValue.map { min(max(0, $0), maxCount) }
  }
}
