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

  /// Finds what stays of the turn that a place takes back. Where the engine cannot tell it, the place is another one: what the client
  /// has of the turn is put into the thread then.
  func settle(_ found: ThreadPlaces.Found, _ ask: SessionAsk) async -> Settled {
    let fallback = Settled(found: found.beforeTurn(ask.history))
    guard ask.openTurn(on: found.thread) == nil else { return fallback }
    switch found.place.place {
    case .head, .before, .behind, .nowhere: return Settled(found: found)
    case .headWithoutDocuments(let turnID):
      // They stay where more than a question follows.
      guard ask.history.items.count == found.place.known + 1,
        let items = await engine.items(of: found.thread.id, keeping: .withoutDocuments, ofTurn: turnID)
      else { return fallback }
      return Settled(found: found, items: items)
    case .behindCut(let turnID, let index):
      let seen = ask.history.text(after: found.points.all[index].asked, before: found.place.known)
      guard let items = await engine.items(of: found.thread.id, keeping: .cut(seen: seen), ofTurn: turnID) else {
        return fallback
      }
      return Settled(found: found, items: items)
    case .inside(let turnID, _):
      let calls = Set(ask.conversation.newOutputs.map(\.callID))
      guard let items = await engine.items(of: found.thread.id, keeping: .upToCalls(calls), ofTurn: turnID) else {
        return fallback
      }
      let open = OpenTurn(
        owner: ask.caller.principal, session: ask.session, callIDs: Array(calls), thread: found.thread.id,
        turnID: turnID, said: [], saidBefore: 0, items: items)
      return Settled(found: found, open: open)
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
