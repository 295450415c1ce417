// A turn that waits for functions of its client, while nobody reads what happens in it.

/// A parked turn.
@LoopActor
final class ParkedTurn {
  let turn: Turn
  let open: OpenTurn
  let calls: [Conversation.ToolCall]
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
    self.origin = origin
    self.events = events
  }

  /// Whether it waits for what a request brings, and can go on with it as it is.
  func goesOn(with ask: Ask, session: SessionKey?, _ profile: TurnProfile) -> Bool {
    session == open.session && ask.model == origin.model && profile == turn.profile && open.isContinued(by: ask)
      && origin.tools.includes(ask.conversation.tools.functions) && !turn.events.hasEnded
  }
}

extension ParkedTurn {
  /// What is known of it, should it have to go on elsewhere.
  var suspended: OpenTurn? {
    guard turn.recording.isWhole else { return nil }
    var open = open
    open.items = turn.recording.items
    return open
  }

  /// Gives the turn what an ask brings. False if it has ended.
  func goOn(with ask: Ask) -> Bool {
    guard !turn.events.hasEnded else { return false }
    let conversation = ask.conversation
    let new = conversation.items[conversation.firstNewItem...]
    turn.events.reader = nil
    turn.events.restore(events.takeAll())
    turn.resume(
      with: ToolReply(
        outputs: conversation.newOutputs, input: new.flatMap { $0.message(of: .user)?.parts ?? [] },
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
  /// How much of what the client had said comes before the turn's own items.
  let saidBefore: Int
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
