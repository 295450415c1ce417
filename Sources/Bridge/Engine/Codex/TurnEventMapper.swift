// Notifications of one turn to events. Pure: no I/O, no clock.
// Owns what must be remembered to say each thing once: which item speaks, and what a retry would repeat.

/// Translates the notifications of one turn (app-server protocol, "thread/turn/item" model).
struct TurnEventMapper: Sendable {
  /// How a piece of text is to be shown.
  enum Placement: Equatable {
    case hidden
    /// Right after what its channel has shown before.
    case next(TextChannel)
    /// As the beginning of a paragraph.
    case paragraph(TextChannel)

    /// The event that shows it, if any does.
    func events(_ text: EscapedText) -> [TurnEvent] {
      switch self {
      case .hidden: []
      case .next(let channel): [.text(text, channel)]
      case .paragraph(let channel): [.text(text.afterBlankLine, channel)]
      }
    }
  }

  private struct Item: Sendable {
    let id: String
    let channel: TextChannel
    /// UTF-8 bytes of text that have gone out, to tell whether the end brings anything new.
    var sentBytes = 0
    /// A hash of those bytes (64-bit FNV-1a), to tell whether the end agrees with what has gone out.
    var sentHash = Span<UInt8>.fnv1aOfNothing

    mutating func sent(_ escaped: Span<UInt8>, hasEscapes: Bool) {
      guard hasEscapes else { return sent(plain: escaped) }
      sent(plain: EscapedText(raw: String(decoding: escaped)).text.utf8.span)
    }

    private mutating func sent(plain: Span<UInt8>) {
      sentBytes += plain.count
      sentHash = plain.fnv1a(after: sentHash)
    }
  }

  private let showsActivity: Bool
  private var items: [Item] = []
  /// Where the items stand: an answer may have tens of thousands.
  private var indices: [String: Int] = [:]
  private var answerBegan = false
  private var asideBegan = false
  private var needsAnswerSeparator = false
  private var needsAsideSeparator = false
  /// State that a retry falls back to.
  private var answerBeganAtCheckpoint = false
  private var answerSinceCheckpoint = false
  private var asideSinceCheckpoint = false
  /// After a retry the engine repeats what was said beside the answer; it has been shown already.
  private var isMutingAside = false
  private(set) var usage = TokenUsage()
  private var baseline: TokenUsage?
  /// Commands, tools and searches under way: while they run the engine's silence means nothing.
  private(set) var runningTools: Set<String> = []
  /// Whether there were commands, which may go on in the background.
  private(set) var hasRunCommands = false
  /// Commentary while there is no answer: it may turn out to be all that comes.
  private var commentary = Commentary()
  /// Changes of files under way: what is asked about them names their item only.
  private var fileChanges: [String: JSONValue] = [:]
  /// The tools under way, each with its line for people and its place in the order in which they began.
  private var toolLines: [String: (order: Int, line: String)] = [:]
  private var toolCount = 0

  init(showsActivity: Bool, baseline: TokenUsage?) {
    self.showsActivity = showsActivity
    self.baseline = baseline
  }

  /// Usage of this turn alone: the thread's total now without the total before.
  var turnUsage: TokenUsage { usage - (baseline ?? TokenUsage()) }

  /// The messages of commentary, whole, if no answer has come.
  var commentaryWithoutAnswer: [String] { answerBegan ? [] : commentary.messages }

  /// One line about the tool that began last, nil while none runs.
  var currentTool: String? { toolLines.values.max { $0.order < $1.order }?.line }

  // MARK: Text

  /// Where an item stands in the order in which they began; it keeps its place.
  struct ItemIndex: Equatable { fileprivate let number: Int }

  /// The message with an id, which begins here if it has not begun yet.
  mutating func message(_ id: Span<UInt8>) -> ItemIndex {
    // Mostly it is the last one.
    if let last = items.last, id.isEqual(to: last.id.utf8.span) { return ItemIndex(number: items.count - 1) }
    let id = id.text ?? ""
    // The start of an item may be suppressed; without it text counts as answer.
    return ItemIndex(number: indices[id] ?? add(id, .answer))
  }

  /// Returns where the item stands.
  @discardableResult
  private mutating func add(_ id: String, _ channel: TextChannel) -> Int {
    items.append(Item(id: id, channel: channel))
    indices[id] = items.count - 1
    return items.count - 1
  }

  /// Takes note of a piece of a message, still escaped, and says how to show it.
  mutating func delta(_ text: Span<UInt8>, hasEscapes: Bool, of message: ItemIndex) -> Placement {
    place(text, hasEscapes: hasEscapes, itemAt: message.number)
  }

  private mutating func answerDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return say(EscapedText(delta), itemAt: message(id.utf8.span).number)
  }

  private mutating func say(_ text: EscapedText, itemAt index: Int) -> [TurnEvent] {
    place(text.raw.utf8.span, hasEscapes: text.hasEscapes, itemAt: index).events(text)
  }

  private mutating func place(_ text: Span<UInt8>, hasEscapes: Bool, itemAt index: Int) -> Placement {
    guard !text.isEmpty else { return .hidden }
    items[index].sent(text, hasEscapes: hasEscapes)
    switch items[index].channel {
    case .answer: return placeAnswer()
    case .aside, .commentary: return placeAside(items[index].channel)
    }
  }

  private mutating func placeAnswer() -> Placement {
    defer {
      needsAnswerSeparator = false
      answerBegan = true
      answerSinceCheckpoint = true
    }
    return needsAnswerSeparator && answerBegan ? .paragraph(.answer) : .next(.answer)
  }

  /// Commentary stands among what else goes on beside the answer.
  private mutating func placeAside(_ channel: TextChannel = .aside, evenIfMuted: Bool = false) -> Placement {
    guard !isMutingAside || evenIfMuted else { return .hidden }
    defer {
      needsAsideSeparator = false
      asideBegan = true
      asideSinceCheckpoint = true
    }
    return needsAsideSeparator && asideBegan ? .paragraph(channel) : .next(channel)
  }

  /// A paragraph of its own beside the answer, such as a declined approval.
  mutating func note(_ text: String) -> [TurnEvent] {
    needsAsideSeparator = true
    defer { needsAsideSeparator = true }
    return placeAside(evenIfMuted: true).events(EscapedText(text))
  }

  /// A paragraph beside the answer that is not the engine's, so that no retry repeats it.
  mutating func interjection(_ text: String) -> EscapedText {
    defer {
      needsAsideSeparator = true
      asideBegan = true
    }
    let text = EscapedText(text)
    return asideBegan ? text.afterBlankLine : text
  }

  /// Whether something was shown that a retry would repeat.
  var hasSpokenSinceCheckpoint: Bool { answerSinceCheckpoint || asideSinceCheckpoint }

  /// The item under way that would change files.
  func fileChange(itemID: String) -> JSONValue? { fileChanges[itemID] }

  // MARK: Notifications

  /// Events of any notification of this turn except its end. Unknown ones give none.
  mutating func map(_ method: String, _ params: JSONValue) -> [TurnEvent] {
    switch method {
    case Notification.itemStarted: itemStarted(params["item"] ?? .null)
    case Notification.itemCompleted: itemCompleted(params["item"] ?? .null)
    case Notification.answerDelta: answerDelta(params)
    case Notification.reasoningSummaryDelta, Notification.reasoningTextDelta:
      reasoningDelta(params)
    case Notification.reasoningSummaryPart: summaryPartAdded()
    case Notification.tokenUsage: tokenUsage(params)
    case Notification.error: error(params)
    default: []
    }
  }

  private mutating func itemStarted(_ item: JSONValue) -> [TurnEvent] {
    guard let id = item["id"]?.stringValue, let type = item["type"]?.stringValue else { return [] }
    switch type {
    case "agentMessage":
      let isCommentary = item["phase"]?.stringValue == "commentary"
      add(id, isCommentary ? .commentary : .answer)
      if isCommentary { needsAsideSeparator = true } else { needsAnswerSeparator = true }
      return []
    case "reasoning":
      add(id, .aside)
      needsAsideSeparator = true
      return []
    default:
      guard let line = Activity.began(type, item) else { return [] }
      runningTools.insert(id)
      toolCount += 1
      toolLines[id] = (toolCount, line)
      if type == "commandExecution" { hasRunCommands = true }
      if type == "fileChange" { fileChanges[id] = item }
      return showsActivity ? note(line) : []
    }
  }

  private mutating func itemCompleted(_ item: JSONValue) -> [TurnEvent] {
    guard let id = item["id"]?.stringValue, let type = item["type"]?.stringValue else { return [] }
    switch type {
    case "agentMessage": return messageCompleted(id, item)
    case "reasoning":
      let parts = (item["summary"]?.arrayValue ?? []).compactMap(\.stringValue)
      guard let index = indices[id], items[index].sentBytes == 0 else { return [] }
      return say(EscapedText(parts.joined(separator: "\n\n")), itemAt: index)
    default:
      fileChanges[id] = nil
      toolLines[id] = nil
      guard runningTools.remove(id) != nil, showsActivity, let line = Activity.ended(type, item) else { return [] }
      return note(line)
    }
  }

  /// A message that came without deltas, or with fewer than its text, is made whole at its end.
  private mutating func messageCompleted(_ id: String, _ item: JSONValue) -> [TurnEvent] {
    let text = item["text"]?.stringValue ?? ""
    guard let index = indices[id] ?? start(item, id) else { return [] }
    if items[index].channel == .commentary, !answerBegan { commentary.add(text) }
    let sent = items[index].sentBytes
    guard text.utf8.count >= sent, text.utf8.span.extracting(first: sent).fnv1a() == items[index].sentHash
    else {
      return contradicted(text, itemAt: index)
    }
    guard text.utf8.count > sent else { return [] }
    return say(EscapedText(String(decoding: text.utf8.dropFirst(sent), as: UTF8.self)), itemAt: index)
  }

  /// Begins a message whose beginning the engine has not told of. Returns its index.
  private mutating func start(_ item: JSONValue, _ id: String) -> Int? {
    _ = itemStarted(item)
    return indices[id]
  }

  /// The engine ends a message with another text than it has sent: pieces were lost on the way. What has gone out is
  /// wrong and must not pass for an answer.
  private mutating func contradicted(_ text: String, itemAt index: Int) -> [TurnEvent] {
    guard case .answer = items[index].channel else { return [] }
    items[index].sentBytes = 0
    items[index].sentHash = Span<UInt8>.fnv1aOfNothing
    answerBegan = answerBeganAtCheckpoint
    needsAnswerSeparator = true
    return [.answerRetracted] + say(EscapedText(text), itemAt: index)
  }

  private mutating func reasoningDelta(_ params: JSONValue) -> [TurnEvent] {
    guard let id = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue else { return [] }
    return say(EscapedText(delta), itemAt: indices[id] ?? add(id, .aside))
  }

  private mutating func summaryPartAdded() -> [TurnEvent] {
    needsAsideSeparator = true
    return []
  }

  private mutating func tokenUsage(_ params: JSONValue) -> [TurnEvent] {
    if let total = TokenUsage(params["tokenUsage"]?["total"]) { usage = total }
    answerSinceCheckpoint = false
    asideSinceCheckpoint = false
    answerBeganAtCheckpoint = answerBegan
    commentary.keep()
    isMutingAside = false
    return [.checkpoint]
  }

  /// Usage of an earlier turn, which the engine tells when it loads a thread.
  mutating func earlierUsage(_ params: JSONValue) {
    guard let total = TokenUsage(params["tokenUsage"]?["total"]) else { return }
    baseline = total
    if usage.total < total.total { usage = total }
  }

  private mutating func error(_ params: JSONValue) -> [TurnEvent] {
    guard params["willRetry"]?.boolValue == true else { return [] }
    isMutingAside = isMutingAside || asideSinceCheckpoint
    commentary.dropRepeated()
    guard answerSinceCheckpoint else { return [] }
    answerSinceCheckpoint = false
    answerBegan = answerBeganAtCheckpoint
    needsAnswerSeparator = true
    return [.answerRetracted]
  }
}

/// The last messages of commentary, so many that they may be an answer.
private struct Commentary: Sendable {
  /// UTF-8 bytes. An answer is seldom longer than some tens of kilobytes; what is dropped is the oldest.
  private static let maxBytes = 1 << 20

  private(set) var messages: [String] = []
  private var bytes = 0
  /// The messages that a retry of the engine will not repeat.
  private var finalCount = 0

  mutating func add(_ message: String) {
    guard !message.isEmpty else { return }
    messages.append(message)
    bytes += message.utf8.count
    while bytes > Self.maxBytes, messages.count > 1 {
      bytes -= messages.removeFirst().utf8.count
      finalCount = max(0, finalCount - 1)
    }
  }

  /// What is there will not come again.
  mutating func keep() { finalCount = messages.count }

  /// What is not final is about to come again.
  mutating func dropRepeated() {
    for message in messages[finalCount...] { bytes -= message.utf8.count }
    messages.removeSubrange(finalCount...)
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

/// One line for people about what Codex does. Names and commands are escaped, so that none of them looks like another line.
private enum Activity {
  /// Of a longer command, or list of names, the beginning is shown. It may be megabytes, and is looked through letter by
  /// letter.
  private static let maxBytes = 8 << 10
  private static let maxFiles = 100

  private static func shown(_ text: String) -> String { text.shortened(toBytes: maxBytes).printable }

  /// Nil for items that are no activity.
  static func began(_ type: String, _ item: JSONValue) -> String? {
    switch type {
    case "commandExecution": "Running `\(command(item))`"
    case "fileChange": "Changing \(files(item))"
    case "webSearch": "Searching the web for “\(shown(item["query"]?.stringValue ?? ""))”"
    case "mcpToolCall", "dynamicToolCall": "Calling the tool \(shown(item["tool"]?.stringValue ?? ""))"
    default: nil
    }
  }

  private static func command(_ item: JSONValue) -> String {
    guard let line = item["command"]?.stringValue else { return "a command" }
    guard line.utf8.count <= maxBytes else { return shown(line) }
    return (ShellCommand(line)?.script ?? line).printable
  }

  private static func files(_ item: JSONValue) -> String {
    let names = (item["changes"]?.arrayValue ?? []).compactMap { $0["path"]?.stringValue }
    return shown(names.prefix(maxFiles).joined(separator: ", "))
      + (names.count > maxFiles ? " and \(names.count - maxFiles) more" : "")
  }

  static func ended(_ type: String, _ item: JSONValue) -> String? {
    guard type == "commandExecution" else { return nil }
    switch item["status"]?.stringValue {
    case "declined": return "The command was declined."
    default: return item["exitCode"]?.intValue.map { "Exit code \($0)" }
    }
  }
}
