// Puts the events of a turn into the items of a response. Pure: events in, what is to be told out.

/// What a response shows of what goes on beside its answer.
struct ResponseStyle: Sendable, Equatable {
  /// How commands, changes of files, searches and tools are told.
  enum Activity: String, Sendable, CaseIterable {
    /// As parts of the reasoning, which every client knows.
    case reasoning
    /// As items of type `mcp_call`.
    case mcp
    case none
  }

  var activity = Activity.reasoning
  /// Whether what the model says about its work is a message, with the phase `commentary`. Most clients take every message for a
  /// part of the answer.
  var commentaryIsMessage = false

  /// The functions that stand in namespaces, by what they are called here.
  var namespaced: [String: ToolFields.NamespacedName] = [:]

  /// What `AnswerParagraphs` is to put into words.
  var shown: AnswerParagraphs.Shown { AnswerParagraphs.Shown(tools: activity == .reasoning) }
}

/// The output of one response while its turn runs.
///
/// At most one item takes text at a time: what goes on beside the answer while a message is under way waits for its end.
struct ResponseOutput: Sendable {
  /// What is to be told of a change. Items are told by their places in `items`.
  enum Event: Sendable, Equatable {
    case itemAdded(Int)
    /// A part of an item begins.
    case partAdded(Int, part: Int)
    case delta(Int, part: Int, EscapedText)
    /// A part is whole.
    case partDone(Int, part: Int)
    case itemDone(Int)
  }

  /// The item that takes text.
  private enum Open: Sendable, Equatable {
    case none
    case message(Int)
    /// A part of a reasoning item is under way.
    case part(Int, part: Int, isCommentary: Bool)
    /// A reasoning item whose next part has not begun.
    case betweenParts(Int)
  }

  let ids: ResponseIDs
  private let style: ResponseStyle
  private(set) var items: [ResponseItem] = []
  private var open = Open.none
  /// What the open message or part has, still escaped as in JSON. Apart from the item, so that adding to it copies nothing.
  private var text = ByteBuffer()
  /// What waits for the end of the message that is under way.
  private var held: [ResponseItem.Part] = []
  private var hasAnswer = false
  /// Whether the next text beside the answer begins a part of its own.
  private var beginsPart = false
  /// The items of what Codex does, by the numbers of its reports.
  private var activities: [Int: Int] = [:]
  /// How many items have been made: some may have been taken back.
  private var made = 0
  /// What the engine cannot take back any more: items, and text of the message that was open.
  private var final = (items: 0, text: 0)

  init(_ ids: ResponseIDs, _ style: ResponseStyle) {
    self.ids = ids
    self.style = style
  }

  /// The message that is under way, if the next text of the answer belongs to it.
  var openMessage: Int? { if case .message(let index) = open { index } else { nil } }

  /// Whether the next text of the answer belongs to the message that is under way.
  var takesAnswer: Bool { !text.isEmpty && openMessage.map { !isCommentary($0) } ?? false }

  // MARK: Text

  /// Adds text to the message that is under way.
  @inline(__always)
  mutating func append(_ piece: Span<UInt8>) { text.append(piece) }

  /// Adds a piece of text, still escaped as in JSON.
  mutating func add(_ piece: Span<UInt8>, _ channel: TextChannel) -> [Event] {
    guard !piece.isEmpty else { return [] }
    let piece = EscapedText(raw: String(decoding: piece))
    switch channel {
    case .answer: return addAnswer(piece)
    case .commentary where style.commentaryIsMessage: return addCommentary(piece)
    case .commentary: return addBeside(piece, isCommentary: true)
    case .reasoning: return addBeside(piece, isCommentary: false)
    }
  }

  private mutating func addAnswer(_ piece: EscapedText) -> [Event] {
    var events: [Event] = []
    if openMessage.map({ isCommentary($0) }) ?? true { events += beginMessage(isCommentary: false) }
    guard let index = openMessage else { return events }
    // A further message of the answer is a paragraph of its own for clients that put all messages together.
    let isFirst = text.isEmpty && hasAnswer
    hasAnswer = true
    return events + [delta(isFirst ? piece.afterBlankLine : piece, index, part: 0)]
  }

  private mutating func addCommentary(_ piece: EscapedText) -> [Event] {
    var events: [Event] = []
    if openMessage.map({ !isCommentary($0) }) ?? true { events += beginMessage(isCommentary: true) }
    guard let index = openMessage else { return events }
    return events + [delta(piece, index, part: 0)]
  }

  private func isCommentary(_ index: Int) -> Bool {
    if case .message(_, let isCommentary) = items[index].content { isCommentary } else { false }
  }

  private mutating func beginMessage(isCommentary: Bool) -> [Event] {
    let events = close()
    let index = add(.message(EscapedText(raw: ""), isCommentary: isCommentary), "msg_")
    open = .message(index)
    return events + [.itemAdded(index), .partAdded(index, part: 0)]
  }

  private mutating func addBeside(_ piece: EscapedText, isCommentary: Bool) -> [Event] {
    if openMessage != nil {
      hold(piece, isCommentary: isCommentary)
      return []
    }
    var events: [Event] = []
    if case .part(_, _, let wasCommentary) = open, beginsPart || wasCommentary != isCommentary {
      events += endPart()
    }
    beginsPart = false
    events += beginPart(isCommentary: isCommentary)
    guard case .part(let index, let part, _) = open else { return events }
    return events + [delta(piece, index, part: part)]
  }

  private mutating func hold(_ piece: EscapedText, isCommentary: Bool) {
    if !beginsPart, let last = held.last, last.isCommentary == isCommentary {
      held[held.count - 1] = ResponseItem.Part(
        text: EscapedText(raw: last.text.raw + piece.raw), isCommentary: isCommentary)
    } else {
      held.append(ResponseItem.Part(text: piece, isCommentary: isCommentary))
    }
    beginsPart = false
  }

  /// Adds a paragraph that is whole.
  private mutating func addNote(_ note: String) -> [Event] {
    beginsPart = true
    defer { beginsPart = true }
    return addBeside(EscapedText(note), isCommentary: false)
  }

  private mutating func delta(_ piece: EscapedText, _ index: Int, part: Int) -> Event {
    text.append(piece.raw)
    return .delta(index, part: part, piece)
  }

  // MARK: Parts and items

  private mutating func beginPart(isCommentary: Bool) -> [Event] {
    switch open {
    case .part: return []
    case .betweenParts(let index):
      let part = parts(of: index).count
      open = .part(index, part: part, isCommentary: isCommentary)
      return [.partAdded(index, part: part)]
    case .message, .none:
      let events = close()
      let index = add(.reasoning([]), "rs_")
      open = .part(index, part: 0, isCommentary: isCommentary)
      return events + [.itemAdded(index), .partAdded(index, part: 0)]
    }
  }

  private func parts(of index: Int) -> [ResponseItem.Part] {
    if case .reasoning(let parts) = items[index].content { parts } else { [] }
  }

  /// Ends the part under way. Some clients put all parts together without anything in between, so each ends in a blank line.
  private mutating func endPart() -> [Event] {
    guard case .part(let index, let part, let isCommentary) = open else { return [] }
    let end = delta(EscapedText(raw: "\\n\\n"), index, part: part)
    items[index].content = .reasoning(
      parts(of: index) + [ResponseItem.Part(text: takeText(), isCommentary: isCommentary)])
    open = .betweenParts(index)
    return [end, .partDone(index, part: part)]
  }

  private mutating func takeText() -> EscapedText {
    defer { text = ByteBuffer() }
    return EscapedText(raw: text.withBytes { String(decoding: $0) })
  }

  /// Ends the item that takes text, and tells what has waited for that.
  private mutating func close(_ status: ResponseItem.Status = .completed) -> [Event] {
    var events = endPart()
    switch open {
    case .none, .part: return events
    case .betweenParts(let index): events += end(index, status)
    case .message(let index):
      items[index].content = .message(takeText(), isCommentary: isCommentary(index))
      events += [.partDone(index, part: 0)] + end(index, status)
    }
    open = .none
    guard !held.isEmpty else { return events }
    let parts = held
    held = []
    for part in parts {
      beginsPart = true
      events += addBeside(part.text, isCommentary: part.isCommentary)
    }
    beginsPart = true
    return events
  }

  private mutating func end(_ index: Int, _ status: ResponseItem.Status) -> [Event] {
    items[index].status = status
    return [.itemDone(index)]
  }

  /// Adds an item. Returns its place.
  private mutating func add(_ content: ResponseItem.Content, _ prefix: StaticString) -> Int {
    items.append(ResponseItem(id: ids.item(prefix, made), content: content))
    made += 1
    return items.count - 1
  }

  // MARK: Events

  /// Adds an event that is neither text nor the end.
  mutating func add(_ event: TurnEvent) -> [Event] {
    switch event {
    case .itemBegan(let item): return item.channel == .answer ? endMessage() : nextPart()
    case .itemEnded(let item): return item.channel == .answer ? endMessage() : nextPart()
    case .reasoningPart: return nextPart()
    case .usage: final = (items.count, openMessage == nil ? 0 : text.count)
    case .answerIsCommentary(let messages): return takeCommentaryAsAnswer(messages)
    case .toolCalls(let open):
      var events: [Event] = []
      if let note = style.shown.note(event) { events += addNote(note) }
      return events + add(open.calls)
    case .tool(let report) where style.activity == .mcp: return add(report)
    default: break
    }
    return style.shown.note(event).map { addNote($0) } ?? []
  }

  private mutating func endMessage() -> [Event] { openMessage == nil ? [] : close() }

  private mutating func nextPart() -> [Event] {
    beginsPart = true
    // Commentary that is a message ends with its item.
    if let index = openMessage, isCommentary(index) { return close() }
    return []
  }

  private mutating func takeCommentaryAsAnswer(_ messages: [String]) -> [Event] {
    addAnswer(EscapedText(AnswerParagraphs.joined(messages)))
  }

  private mutating func add(_ calls: [Conversation.ToolCall]) -> [Event] {
    // Twice: what has waited for the end of a message is an item of its own then.
    var events = close()
    events += close()
    for call in calls {
      let index = add(.call(call, style.namespaced[call.name]), "fc_")
      events += [.itemAdded(index)] + end(index, .completed)
    }
    return events
  }

  private mutating func add(_ report: ToolReport) -> [Event] {
    switch report.progress {
    case .began:
      let index = add(.activity(ResponseItem.Activity(use: report.use)), "mcp_")
      activities[report.number] = index
      return [.itemAdded(index)]
    case .ended(let outcome):
      guard let index = activities.removeValue(forKey: report.number) else { return [] }
      items[index].content = .activity(ResponseItem.Activity(use: report.use, outcome: outcome))
      return end(index, outcome.isFailure ? .incomplete : .completed)
    }
  }

  /// Ends all items that are under way.
  mutating func end(_ status: ResponseItem.Status) -> [Event] {
    var events = close(status)
    events += close(status)
    for index in activities.values.sorted() { events += end(index, status) }
    activities = [:]
    return events
  }

  // MARK: What is taken back

  /// Takes back what the engine takes back, where nothing of it was told.
  mutating func retract() {
    if let index = openMessage {
      if index < final.items { return keep(final.text) }
      open = .none
      text = ByteBuffer()
    }
    let isVoid = { (index: Int) in index >= final.items && items[index].isMessage }
    let voided = items.indices.filter(isVoid)
    guard !voided.isEmpty else { return }
    activities = activities.mapValues { index in index - voided.count { $0 < index } }
    items = items.indices.filter { !voided.contains($0) }.map { items[$0] }
    hasAnswer = items.contains(where: \.isMessage)
  }

  private mutating func keep(_ count: Int) {
    var kept = ByteBuffer()
    text.withBytes { kept.append($0.extracting(..<min(count, $0.count))) }
    text = kept
  }

  /// Takes commentary out of the reasoning, where nothing of it was told: it becomes the answer.
  mutating func dropCommentary() {
    _ = endPart()
    for index in items.indices {
      guard case .reasoning(let parts) = items[index].content else { continue }
      items[index].content = .reasoning(parts.filter { !$0.isCommentary })
    }
    held.removeAll(where: \.isCommentary)
  }
}
