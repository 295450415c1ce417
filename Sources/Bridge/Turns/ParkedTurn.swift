// A turn that waits for functions of its client, while nobody reads what happens in it.

/// A parked turn.
@LoopActor
final class ParkedTurn {
  let turn: Turn
  let open: OpenTurn
  let calls: [Conversation.ToolCall]
  /// By their ids: there may be thousands.
  private let callsByID: [String: Conversation.ToolCall]
  let origin: TurnOrigin
  let parkedAt = Loop.now
  /// What happens meanwhile.
  let events: ParkedEvents

  init(
    _ turn: Turn, _ open: OpenTurn, _ calls: [Conversation.ToolCall], _ origin: TurnOrigin, _ events: ParkedEvents
  ) {
    self.turn = turn
    self.open = open
    self.calls = calls
    callsByID = Dictionary(calls.map { ($0.id, $0) }) { first, _ in first }
    self.origin = origin
    self.events = events
  }

  // MARK: What a request brings

  /// Whether outputs are of calls of this turn.
  func isMeant(by outputs: [Conversation.ToolOutput]) -> Bool { outputs.contains { call(of: $0) != nil } }

  /// The call without an output, if there is one.
  func missingCall(in outputs: [Conversation.ToolOutput]) -> String? {
    let ids = Set(outputs.compactMap { call(of: $0)?.id })
    return calls.first { !ids.contains($0.id) }?.id
  }

  /// The call that an output is of. The older form names the function, which is the only one called then.
  private func call(of output: Conversation.ToolOutput) -> Conversation.ToolCall? {
    guard let name = output.functionName else { return callsByID[output.callID] }
    return calls.count == 1 ? calls.first { $0.name == name } : nil
  }

  /// Whether it can go on as it is with what an ask brings that continues its conversation: with the same rights, model and
  /// functions, and with nothing that only a new turn can be told.
  func goesOn(with ask: Ask, _ profile: TurnProfile) -> Bool {
    let conversation = ask.conversation
    let new = conversation.items[conversation.firstNewItem...]
    let isSame =
      ask.model == origin.model && profile == turn.profile && conversation.format == origin.format
      && origin.tools.includes(ask.toolSet)
    let isTellable =
      !conversation.tools.mustCall && !new.contains { $0.message(of: .developer) != nil }
      && new.reduce(0) { $0 + ($1.message(of: .user)?.text.utf8.count ?? 0) } <= TurnPlanner.maxInputCharacters
    return isSame && isTellable && !turn.events.hasEnded
  }

  // MARK: Going on

  /// What is known of it, should it have to go on elsewhere; nil if that is not all.
  func suspended(from repository: any OpenTurnRepository) async -> OpenTurn? {
    let recording = turn.recording
    guard recording.isWhole else { return nil }
    var open = open
    open.items = recording.items
    guard recording.storedItems > 0 else { return open }
    guard let stored = await repository.items(of: open.turnID), stored.count >= recording.storedItems else {
      return nil
    }
    open.items = stored.prefix(recording.storedItems) + recording.items
    return open
  }

  /// Gives the turn what an ask brings. False if it has ended.
  func goOn(with ask: Ask) -> Bool {
    guard !turn.events.hasEnded else { return false }
    let conversation = ask.conversation
    let new = conversation.items[conversation.firstNewItem...]
    events.onEnd = nil
    turn.events.reader = nil
    turn.events.restore(events.takeAll())
    let outputs = conversation.newOutputs.compactMap { output in
      call(of: output).map { Conversation.ToolOutput(callID: $0.id, parts: output.parts) }
    }
    turn.resume(
      with: ToolReply(
        outputs: outputs, input: new.flatMap { $0.message(of: .user)?.parts ?? [] },
        offered: Set(conversation.tools.offered.map(\.name)), isParallel: conversation.tools.isParallel))
    return true
  }
}

/// What is known of a turn from the request that has begun it.
struct TurnOrigin: Sendable {
  /// The model that was asked for.
  let model: String?
  /// What the answer calls it.
  let shownModel: String
  /// The functions that the thread has.
  let tools: ToolSet
  /// What the answer has to look like.
  var format = Conversation.Format.text
  /// How much of what the client had said comes before the turn's own items.
  let saidBefore: Int
  /// The engine's name of the turn from whose record this one goes on, if it does.
  var resumedFrom: String?
}

/// Gathers what happens in a parked turn, for the answer in which it goes on.
@LoopActor
final class ParkedEvents: TurnReader {
  /// As much as a slow reader may leave waiting.
  private static let maxBytes = TurnStream.maxPendingBytes

  private var events: [TurnEvent] = []
  private var bytes = 0
  /// Called once, when the turn ends meanwhile.
  var onEnd: (@LoopActor () -> Void)?

  /// Takes out what has gathered.
  func takeAll() -> [TurnEvent] {
    defer { events = [] }
    return events
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    take(.text(EscapedText(raw: String(decoding: text)), channel))
  }

  func take(_ event: TurnEvent) -> Bool {
    bytes += event.byteCount
    if bytes <= Self.maxBytes, events.count < TurnStream.maxPendingEvents { events.append(event) }
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { onEnd?() }

  /// Never called: it takes everything.
  func fellBehind() {}
}
