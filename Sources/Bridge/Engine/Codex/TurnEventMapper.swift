// Translates Codex's notifications of one turn into events. Pure: no I/O, no clock.
// Owns what is needed to send each text once: which items are under way, and what a retry would repeat.

/// Translates the notifications of one turn (app-server protocol, "thread/turn/item" model).
struct TurnEventMapper: Sendable {
  /// What is done with a piece of text.
  enum Placement: Equatable {
    /// It is not sent: a retry repeats it, or it is empty.
    case hidden
    /// It is sent at once, as the next text of the item that its channel has under way.
    case next(TextChannel)
    /// It is sent after these events.
    case after([TurnEvent], TextChannel)

    /// All events for the text.
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
    /// Whether the next text of the item begins a further part.
    var beginsPart = false
    /// UTF-8 bytes of the deltas that have come. At the end of the item they show how much of its text is new.
    var sentBytes = 0
    /// A hash of those bytes (64-bit FNV-1a). At the end of the item it shows whether its text begins with them.
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

  /// The item under way in each channel, as an index into `items`; -1 for none. A plain number, because this is looked at
  /// for each token.
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

  /// All items with text, in the order in which they began.
  private var items: [Item] = []
  /// The indices into `items` by their ids, because a turn may have tens of thousands of items.
  private var indices: [String: Int] = [:]
  private var open = OpenItems()
  /// The index of the item whose next text can be sent without other events; -1 if there is none.
  private var current = -1
  private var answer = SentAnswer.nothing
  private var besideAnswer = SentBesideAnswer.nothing
  /// Kept as long as there is no answer, whose place it may take.
  private var commentary = TurnCommentary()
  /// The tokens that the thread has used so far, as Codex reported them last.
  private(set) var usage = TokenUsage()
  /// The tokens that the thread had used before the turn; nil if that is not known.
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

  /// The messages of commentary if no answer has come, else none.
  var commentaryWithoutAnswer: [String] { answer == .nothing ? commentary.messages : [] }

  /// Whether the call of the model under way has sent text that a retry would repeat.
  var hasSpokenInCall: Bool {
    if case .unfinished = answer { true } else { besideAnswer != .nothing }
  }

  // MARK: Calls of the client's functions

  /// A response of the model is complete and has used this.
  mutating func responded(_ usage: TokenUsage?) {
    guard let usage else { return }
    responseUsage = (responseUsage ?? TokenUsage()) + usage
  }

  /// The answer ends with calls of functions; what follows is another.
  mutating func handOut(_ calls: [Conversation.ToolCall], faults: [SchemaViolation] = []) -> [TurnEvent] {
    let usage = responseUsage
    return endAnswer(using: usage) + [.toolCalls(OpenCalls(calls: calls, usage: usage, faults: faults))]
  }

  /// The answer ends because the user says something meanwhile; what follows is another. Returns what was used so far and not told
  /// yet.
  mutating func handOver() -> (events: [TurnEvent], usage: TokenUsage) {
    let usage = responseUsage ?? turnUsage
    return (endAnswer(using: usage), usage)
  }

  private mutating func endAnswer(using usage: TokenUsage?) -> [TurnEvent] {
    var events = end(of: .answer) + end(of: .commentary) + end(of: .reasoning)
    let messages = commentaryWithoutAnswer
    if !messages.isEmpty { events.append(.answerIsCommentary(messages)) }
    toldUsage = toldUsage + (usage ?? TokenUsage())
    responseUsage = nil
    answer = .nothing
    besideAnswer = .nothing
    commentary = TurnCommentary()
    current = -1
    return events
  }

  // MARK: Text

  /// The index of an item, which stays the same until the end of the turn.
  struct ItemIndex: Equatable { fileprivate let number: Int }

  /// The message with this id. It is added if it has not begun yet.
  mutating func message(_ id: Span<UInt8>) -> ItemIndex {
    // The last item is checked first, because it mostly is the one.
    if let last = items.last, id.isEqual(to: last.id.utf8.span) { return ItemIndex(number: items.count - 1) }
    let id = id.text ?? ""
    // Codex may not have reported the beginning of the item. Without it the phase is unknown, and text counts as answer.
    return ItemIndex(number: indices[id] ?? add(id, .message(nil)))
  }

  /// Adds an item that begins. Returns its index.
  @discardableResult
  private mutating func add(_ id: String, _ kind: TurnItem) -> Int {
    items.append(Item(id, kind))
    indices[id] = items.count - 1
    return items.count - 1
  }

  /// Records a piece of a message, still escaped as in JSON, and decides how it is sent.
  mutating func delta(_ text: Span<UInt8>, hasEscapes: Bool, of message: ItemIndex) -> Placement {
    place(text, hasEscapes: hasEscapes, itemAt: message.number)
  }

  private mutating func answerDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return addText(delta, toItemAt: message(id.utf8.span).number)
  }

  /// Records a piece of an item's text, and returns the events for it.
  private mutating func addText(_ text: String, toItemAt index: Int) -> [TurnEvent] {
    let text = EscapedText(text)
    return place(text.raw.utf8.span, hasEscapes: text.hasEscapes, itemAt: index).events(text)
  }

  private mutating func place(_ text: Span<UInt8>, hasEscapes: Bool, itemAt index: Int) -> Placement {
    guard !text.isEmpty else { return .hidden }
    items[index].sent(text, hasEscapes: hasEscapes)
    return index == current ? .next(items[index].channel) : placeFirst(ofItemAt: index)
  }

  /// Decides about the first text of an item, and about text after a part, an item or a call has ended.
  private mutating func placeFirst(ofItemAt index: Int) -> Placement {
    let channel = items[index].channel
    switch channel {
    case .answer: answer.addText()
    case .commentary, .reasoning: guard besideAnswer.addText() else { return .hidden }
    }
    current = index
    let events = beginning(ofItemAt: index)
    return events.isEmpty ? .next(channel) : .after(events, channel)
  }

  /// The events that come before the next text of an item: the end of the channel's item, and the beginning of this one.
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

  /// The events for any notification of this turn except its end. An unknown notification gives none.
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
    default: return tools.began(id, type: type, item: item).map { [.tool($0)] } ?? []
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

  /// Ends a message. Text of it that did not come in deltas is sent now.
  private mutating func messageCompleted(_ id: String, _ item: JSONValue) -> [TurnEvent] {
    let text = item["text"]?.stringValue ?? ""
    let phase = MessagePhase(item)
    // Codex may not have reported the beginning of the item.
    let index = indices[id] ?? add(id, .message(phase))
    if items[index].channel == .commentary, answer == .nothing { commentary.add(text) }
    let events = addRest(of: text, toItemAt: index)
    if items[index].kind == .message(nil), phase != .commentary { items[index].kind = .message(phase) }
    return events + end(itemAt: index)
  }

  /// Sends the part of a message's text that did not come in deltas.
  private mutating func addRest(of text: String, toItemAt index: Int) -> [TurnEvent] {
    let sent = items[index].sentBytes
    guard text.utf8.count >= sent, text.utf8.span.extracting(first: sent).fnv1a() == items[index].sentHash
    else {
      return replaceText(with: text, ofItemAt: index)
    }
    guard text.utf8.count > sent else { return [] }
    return addText(String(decoding: text.utf8.dropFirst(sent), as: UTF8.self), toItemAt: index)
  }

  /// Takes an answer back and sends it again, because its deltas were not the beginning of its text: some were lost on
  /// the way. A wrong text must not be taken for an answer. Commentary stays as it is.
  private mutating func replaceText(with text: String, ofItemAt index: Int) -> [TurnEvent] {
    guard case .answer = items[index].channel else { return [] }
    items[index].sentBytes = 0
    items[index].sentHash = Span<UInt8>.fnv1aOfNothing
    _ = answer.retract()
    forgetOpenAnswer()
    return [.answerRetracted] + addText(text, toItemAt: index)
  }

  /// Forgets the item under way in the answer without an event for its end: an item that was taken back has none.
  private mutating func forgetOpenAnswer() {
    open[.answer] = -1
    current = -1
  }

  private mutating func reasoningCompleted(_ id: String, _ item: JSONValue) -> [TurnEvent] {
    guard let index = indices[id] else { return [] }
    var events: [TurnEvent] = []
    if items[index].sentBytes == 0 {
      for part in (item["summary"]?.arrayValue ?? []).compactMap(\.stringValue) {
        events += addText(part, toItemAt: index)
        beginPart(ofItemAt: index)
      }
    }
    return events + end(itemAt: index)
  }

  private mutating func reasoningDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return addText(delta, toItemAt: indices[id] ?? add(id, .reasoning))
  }

  /// Remembers that a part of the reasoning begins. Its event comes with its first text, so that an empty part has none.
  private mutating func summaryPartAdded(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue else { return [] }
    beginPart(ofItemAt: indices[id] ?? add(id, .reasoning))
    return []
  }

  private mutating func beginPart(ofItemAt index: Int) {
    items[index].beginsPart = true
    if current == index { current = -1 }
  }

  /// Ends a call of the model. Its usage is computed from the thread's totals, because the usage of the last call that
  /// Codex reports beside them may be that of an earlier one.
  private mutating func tokenUsage(_ params: JSONValue) -> [TurnEvent] {
    if countsFromFirstCall, baseline == nil, let total = TokenUsage(params["tokenUsage"]?["total"]),
      let last = TokenUsage(params["tokenUsage"]?["last"])
    {
      baseline = total - last
    }
    let before = usage == TokenUsage() ? baseline ?? usage : usage
    if let total = TokenUsage(params["tokenUsage"]?["total"]) { usage = total }
    answer.callEnded()
    besideAnswer.callEnded()
    commentary.callEnded()
    current = -1
    return [.usage(usage - before)]
  }

  /// Takes the usage of an earlier turn, which Codex reports when it loads a thread.
  mutating func earlierUsage(_ params: JSONValue) {
    guard let total = TokenUsage(params["tokenUsage"]?["total"]) else { return }
    baseline = total
    if usage.total < total.total { usage = total }
  }

  /// Handles a retry of the call under way: the text of the call comes again, as new items.
  private mutating func error(_ params: JSONValue) -> [TurnEvent] {
    guard params["willRetry"]?.boolValue == true else { return [] }
    commentary.retry()
    besideAnswer.retry()
    let isVoid = answer.retract()
    if isVoid { forgetOpenAnswer() }
    let ends = end(of: .answer) + end(of: .commentary) + end(of: .reasoning)
    return ends + (isVoid ? [.answerRetracted] : [])
  }
}

extension MessagePhase {
  /// Nil for a message without a phase, or with an unknown one.
  fileprivate init?(_ item: JSONValue) {
    switch item["phase"]?.stringValue {
    case "commentary": self = .commentary
    case "partial_answer": self = .partialAnswer
    case "final_answer": self = .finalAnswer
    default: return nil
    }
  }
}
