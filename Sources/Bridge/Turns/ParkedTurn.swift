// A turn that waits for functions of its client, while nobody reads what happens in it.

/// A parked turn.
@LoopActor
final class ParkedTurn {
  let turn: Turn
  let open: OpenTurn
  let calls: [Conversation.ToolCall]
  private let seeds: Fingerprint.Seeds
  /// By their ids, as `NamedCalls` has them: there may be thousands.
  private let callsByID: [Fingerprint: Conversation.ToolCall]
  let origin: TurnOrigin
  let parkedAt = Loop.now
  /// Whether nothing of it may stay on the disk.
  var isPassing = false
  /// Whether its record lasts, so that it can go on when the process is gone.
  var isKept = false
  /// What happens meanwhile.
  let events: ParkedEvents

  init(
    _ turn: Turn, _ open: OpenTurn, _ calls: [Conversation.ToolCall], _ origin: TurnOrigin, _ events: ParkedEvents
  ) {
    self.turn = turn
    self.open = open
    self.calls = calls
    let seeds = Fingerprint.Seeds()
    self.seeds = seeds
    callsByID = Dictionary(calls.map { (Fingerprint(of: $0.id.utf8.span, seeds), $0) }) { first, _ in first }
    self.origin = origin
    self.events = events
  }

  /// Whether a question of it waits for a person. The question would be withdrawn with the turn.
  var asksPerson: Bool { turn.progress?.activity == .waitingForApproval }

  /// Whether it has ended, or is told to: by its engine, after another has taken over.
  private var isEnding: Bool { turn.events.hasEnded || turn.progress?.activity == .stopping }

  /// Whether it may be ended to make room for others.
  var canMakeRoom: Bool { (isKept || isPassing) && !asksPerson }

  // MARK: What a request brings

  /// Whether outputs are of calls of this turn.
  func isMeant(by outputs: NamedCalls) -> Bool { calls.contains { isNamed($0, by: outputs) } }

  /// The call without an output, if there is one.
  func missingCall(in outputs: NamedCalls) -> String? { calls.first { !isNamed($0, by: outputs) }?.id }

  private func isNamed(_ call: Conversation.ToolCall, by outputs: NamedCalls) -> Bool {
    outputs.contains(call, isAlone: calls.count == 1)
  }

  /// The call that an output is of. The older form names the function, which is the only one called then.
  private func call(of output: Conversation.ToolOutput) -> Conversation.ToolCall? {
    guard let name = output.functionName else { return callsByID[Fingerprint(of: output.callID.utf8.span, seeds)] }
    return calls.count == 1 ? calls.first { $0.name == name } : nil
  }

  /// Whether it can go on as it is with what an ask brings that continues its conversation: with the same rights, model and
  /// functions, and with nothing that only a new turn can be told.
  func goesOn(with ask: Ask, _ profile: TurnProfile) -> Bool {
    let conversation = ask.conversation
    let new = open.news(in: ask)
    let isSame =
      ask.model == origin.model && profile == turn.profile && conversation.format == origin.format
      && origin.tools.includes(ask.toolSet)
    let isTellable =
      !conversation.tools.mustCall && !new.contains(where: isUntold)
      && new.reduce(0) { $0 + ($1.message(of: .user)?.text.utf8.count ?? 0) } <= TurnPlanner.maxInputCharacters
    return isSame && isTellable && !isEnding
  }

  /// Whether an item is of the developer and tells something that the turn was not told.
  private func isUntold(_ item: Conversation.Item) -> Bool {
    guard let text = item.message(of: .developer)?.text else { return false }
    return SessionPrompt.checksum(of: text) != origin.instructions
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
        offered: conversation.tools.offered.map(\.name), isParallel: conversation.tools.isParallel))
    return true
  }
}

/// The calls that outputs are of. By fingerprints: an id may have kilobytes, and to compare texts as Unicode wants it takes
/// many times as long as to read them.
struct NamedCalls {
  private let seeds = Fingerprint.Seeds()
  private var ids: Set<Fingerprint> = []
  /// In the older form, which names functions instead.
  private var functions: Set<Fingerprint> = []

  init(_ outputs: [Conversation.ToolOutput]) {
    for output in outputs {
      if let name = output.functionName {
        functions.insert(fingerprint(name))
      } else {
        ids.insert(fingerprint(output.callID))
      }
    }
  }

  /// Whether there is an output of a call; `isAlone` if it is the only one of its answer.
  func contains(_ call: Conversation.ToolCall, isAlone: Bool) -> Bool {
    ids.contains(fingerprint(call.id)) || isAlone && functions.contains(fingerprint(call.name))
  }

  private func fingerprint(_ text: String) -> Fingerprint { Fingerprint(of: text.utf8.span, seeds) }
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
  /// `SessionPrompt.checksum` of what the developer had said for it; nil for nothing.
  var instructions: String?
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
  /// Uses of tools for which there was no room.
  private var toolsLeftOut = 0
  /// Called once, when the turn ends meanwhile.
  var onEnd: (@LoopActor () -> Void)?

  /// Takes out what has gathered.
  func takeAll() -> [TurnEvent] {
    defer {
      events = []
      toolsLeftOut = 0
    }
    return toolsLeftOut > 0 ? events + [.toolsLeftOut(toolsLeftOut)] : events
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    take(.text(EscapedText(raw: String(decoding: text)), channel))
  }

  func take(_ event: TurnEvent) -> Bool {
    bytes += event.byteCount
    if bytes <= Self.maxBytes, events.count < TurnStream.maxPendingEvents {
      events.append(event)
    } else if case .tool(let report) = event, case .began = report.progress {
      toolsLeftOut += 1
    }
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { onEnd?() }

  /// Never called: it takes everything.
  func fellBehind() {}
}
