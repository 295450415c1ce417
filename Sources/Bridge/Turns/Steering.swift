// A message that is told to a turn while it runs: the answer so far ends there, and the rest of the turn is told in the answer to
// the message.

/// How far the turn of an answer has been given to the answer that follows. Pure.
enum Steering: Equatable {
  /// The turn is the answer's own.
  case none
  /// The engine was given a message and has not replied yet.
  case asked
  /// The rest of the turn, and its places, belong to the answer that follows.
  case handedOver

  /// A message is to be told. False while another one is: who comes second waits its turn.
  mutating func ask() -> Bool {
    guard self == .none else { return false }
    self = .asked
    return true
  }

  /// The engine has replied. True if the answer has to end now.
  mutating func reply(isTaken: Bool) -> Bool {
    guard self == .asked else { return false }
    self = isTaken ? .handedOver : .none
    return isTaken
  }

  /// The answer had ended by itself, so that its turn and its places stay its own.
  mutating func keep() { self = .none }
}

/// Tells running turns what their users say meanwhile.
@LoopActor
struct TurnSteerer {
  /// What has become of a message.
  enum Outcome: Sendable {
    /// No turn runs in the session.
    case nothingRuns
    /// The turn that runs cannot be told.
    case refused
    /// The turn was told, and waits for the client of the answer before.
    case nothingToTell
    /// The turn was told, and the answer before has ended: the rest is for the message's own answer.
    case handedOver(Answer)
  }

  let sessions: Sessions
  let registry: AnswerRegistry

  /// Tells the running turn of a session the last message of an ask. `record` is what is known of the session, `profile` what
  /// rights the ask has.
  func steer(
    _ ask: Ask, in session: SessionKey, _ record: SessionRecord?, _ profile: TurnProfile
  ) async -> Outcome {
    guard sessions.isRunning(session) else { return .nothingRuns }
    guard let answer = registry.answer(in: session), answer.canBeSteered(by: ask, record, profile),
      let message = ask.conversation.items.last?.message(of: .user), answer.steering.ask()
    else { return .refused }
    let outcome = Waiter<Outcome>()
    answer.turn.steer(with: message.parts) { reply in
      // At once: what the engine tells from here on belongs to the answer that follows.
      outcome.finish(with: Self.handOver(answer, reply))
    }
    return await outcome.value()
  }

  private static func handOver(_ answer: Answer, _ reply: SteerReply) -> Outcome {
    switch reply {
    case .refused:
      _ = answer.steering.reply(isTaken: false)
      return .refused
    case .taken(let usage):
      guard answer.steering.reply(isTaken: true) else { return .refused }
      if answer.turn.events.handOver(after: .completed(usage)) { return .handedOver(answer) }
      answer.steering.keep()
      return .nothingToTell
    }
  }
}

extension Answer {
  /// Whether its turn can be told the last message of an ask as if it had been asked with it: with the same rights, model, system
  /// prompt, functions and form of the answer.
  fileprivate func canBeSteered(by ask: Ask, _ record: SessionRecord?, _ profile: TurnProfile) -> Bool {
    guard !turn.isInterrupted, !turn.events.hasEnded, profile == turn.profile else { return false }
    let (conversation, thread) = (ask.conversation, record?.current)
    let isSame =
      (ask.model == nil || ask.model == origin.model) && thread?.id == turn.threadID
      && conversation.format == origin.format && origin.tools.includes(ask.toolSet)
      && conversation.instructions.map { SessionPrompt.checksum(of: $0) == thread?.instructions } ?? true
    guard let message = conversation.items.last?.message(of: .user), isSame else { return false }
    return !message.parts.isEmpty && message.text.utf8.count <= TurnPlanner.maxInputCharacters
      && ask.forcedCall == nil && !conversation.tools.mustCall
  }
}
