// Tells a running turn what its user says meanwhile, and hands it over to the answer to that.

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
  let points: any PointRepository

  /// Tells the running turn of a session the last message of an ask. `record` is what is known of the session, `profile` what
  /// rights the ask has.
  func steer(
    _ ask: Ask, _ history: History?, in session: SessionKey, _ record: SessionRecord?, _ profile: TurnProfile
  ) async -> Outcome {
    guard sessions.isRunning(session) else { return .nothingRuns }
    guard await bringsOneMessage(history, record) else { return .refused }
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

  /// Whether the running turn would be told all that it does not have.
  private func bringsOneMessage(_ history: History?, _ record: SessionRecord?) async -> Bool {
    guard let history, let thread = record?.current.id else { return true }
    let new = history.items[history.firstNewItem...].filter { $0.message(of: .developer) == nil }
    if new.count == 1 { return true }
    guard let running = await points.points(of: thread).last else { return false }
    return history.count(before: running.asked) == history.items.count - 1
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
