// The place in a thread where a turn of a session goes on, and what of the turn that is taken back for it stays.

extension TurnStarter {
  /// A place, and what is put into the thread before anything new.
  struct Settled {
    let found: ThreadPlaces.Found
    /// Items of the turn that is taken back; empty if nothing of it stays.
    var items: [String] = []
    /// The turn that goes on from calls of the client's functions; nil if it is none.
    var open: OpenTurn?
  }

  /// Where the request goes on: in `thread`, or in a branch of the conversation on the same model that has more of its history.
  func place(of ask: SessionAsk, _ thread: ThreadRecord) async -> ThreadPlaces.Found {
    if ask.openTurn(on: thread) != nil { return await places.head(of: thread, ask.history) }
    let branches = ask.record?.threads(of: thread.model).filter { $0.id != thread.id && $0.tools == thread.tools }
    let found = await places.find(ask.history, in: thread, or: branches ?? [], startsAnew: ask.startsAnew)
    guard !found.isKnown, ask.history.hasAnswers, let record = ask.record else { return found }
    // The person may have gone on from what another model has answered. This one is told that then, in place of its own answer.
    let others = ([record.current] + record.others).filter { $0.model != thread.model }
    guard let other = others.first,
      await places.find(ask.history, in: other, or: others, startsAnew: false).hasAnswer(of: ask.history)
    else { return found }
    return await places.find(ask.history, in: thread, or: branches ?? [], startsAnew: true)
  }

  /// Where a new thread can be made of what one of another session has of the conversation, on the same model and with the functions
  /// that are offered. That one may be in use.
  func branch(of other: SessionKey, for ask: SessionAsk) async -> ThreadPlaces.Found? {
    let threads = (try? await sessions.record(other))?.threads(of: ask.selection.resolved)
      .filter { $0.tools.includes(ask.offeredTools) }
    guard let first = threads?.first else { return nil }
    let found = await places.find(ask.history, in: first, or: threads ?? [], startsAnew: false)
    guard found.isKnown else { return nil }
    var index = found.points.all.count
    var anew: (turnID: String, part: TurnPart)?
    switch found.place.place {
    case .head, .headWithoutDocuments: break
    case .before(_, let first), .behind(_, let first): index = first
    case .behindCut(_, let first):
      index = first
      anew = keptPart(at: found, ask)
    // Inside a turn there is no place to go on from.
    case .inside, .nowhere: return nil
    }
    guard index > 0, case let last = found.points.all[index - 1], let turnID = last.turnID, last.answered != nil,
      !last.hasCalls
    else { return nil }
    var branch = found
    branch.place = FoundPlace(place: .behind(turnID: turnID, index: index), known: found.place.known)
    branch.anew = anew
    return branch
  }

  /// Finds what stays of the turn that a place takes back. Where the engine cannot tell it, the place is another one: what the client
  /// has of the turn is put into the thread then.
  func settle(_ found: ThreadPlaces.Found, _ ask: SessionAsk) async -> Settled {
    guard ask.openTurn(on: found.thread) == nil, let (turnID, part) = found.anew ?? keptPart(at: found, ask),
      let items = await engine.items(of: found.thread.id, keeping: part, ofTurn: turnID)
    else { return Settled(found: found.beforeTurn(ask.history)) }
    guard case .upToCalls(let calls) = part else { return Settled(found: found, items: items) }
    let open = OpenTurn(
      owner: ask.caller.principal, session: ask.session, callIDs: Array(calls), thread: found.thread.id,
      turnID: turnID, said: [], saidBefore: 0, items: items)
    return Settled(found: found, open: open)
  }

  /// What is to stay of the turn that a place takes back; nil for nothing.
  private func keptPart(at found: ThreadPlaces.Found, _ ask: SessionAsk) -> (turnID: String, part: TurnPart)? {
    switch found.place.place {
    case .head, .before, .behind, .nowhere: return nil
    case .headWithoutDocuments(let turnID):
      // They stay where more than a question follows.
      return ask.history.items.count == found.place.known + 1 ? (turnID, .withoutDocuments) : nil
    case .behindCut(let turnID, let index):
      guard let cut = found.points.last else { return nil }
      let seen = ask.history.text(after: cut.asked, before: found.place.known)
      return (turnID, .cut(seen: seen, afterCalls: index + 1 < found.points.all.count))
    case .inside(let turnID, _):
      return (turnID, .upToCalls(Set(ask.conversation.newOutputs.map(\.callID))))
    }
  }

  /// Notes that a turn has begun where it was found to go on.
  func note(_ turn: Turn, _ ask: SessionAsk, at found: ThreadPlaces.Found) async -> NotedTurn? {
    if let branch = turn.keptBranch {
      await places.points.set(found.points, of: branch, in: ask.session)
    }
    let open = ask.openTurn(on: found.thread)
    let base =
      open.map { ThreadPlaces.copied(found.points, withoutTurn: $0.turnID) } ?? found.kept(of: ask.history)
    return await places.began(ask.history, after: base, known: found.known, by: turn, in: ask.session)
  }
}
