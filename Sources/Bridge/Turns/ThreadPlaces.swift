// Where the turns of a session stand in its threads: found before a turn, noted when it has begun and when it has been answered.

/// A turn whose answer is to be noted.
struct NotedTurn: Sendable {
  let session: SessionKey
  let thread: ThreadID
  let turnID: String
  /// Behind what was asked.
  let asked: ConversationDigest
  /// Where what was asked ends with the beginning of the answer.
  let opening: History.Opening?
}

/// Finds places and notes them.
@LoopActor
struct ThreadPlaces {
  let points: any PointRepository

  /// A thread and the place in it where a request goes on.
  struct Found: Sendable {
    var thread: ThreadRecord
    var place: FoundPlace
    /// Whether the history leads there. Otherwise the request brings what is new and no more.
    let isKnown: Bool
    let points: ThreadPoints
    /// What of the turn that follows the place is put in anew behind it, where the thread itself is not taken back; nil for nothing.
    var anew: (turnID: String, part: TurnPart)?

    init(thread: ThreadRecord, place: FoundPlace, isKnown: Bool, points: ThreadPoints) {
      self.thread = thread
      self.place = place
      self.isKnown = isKnown
      self.points = points
    }

    /// Whether an answer of the history stands in the thread.
    func hasAnswer(of history: History) -> Bool { isKnown && history.hasAnswer(before: place.known) }

    /// The items of the history that stand in the thread; nil if it does not tell.
    var known: Int? { isKnown ? place.known : nil }

    /// A thread that the history was not looked for in.
    init(thread: ThreadRecord) {
      self.init(
        thread: thread, place: FoundPlace(place: .nowhere, known: 0), isKnown: false, points: ThreadPoints())
    }

    /// The points that are left when a history goes on there.
    func kept(of history: History) -> ThreadPoints {
      var kept = points
      switch place.place {
      case .before(_, let index), .behind(_, let index): kept.cut(at: index)
      case .inside(let turnID, let index):
        kept.cut(at: index)
        return ThreadPlaces.copied(kept, withoutTurn: turnID)
      case .behindCut(let turnID, _):
        kept.cut(at: points.all.count - 1)
        kept = ThreadPlaces.copied(kept, withoutTurn: turnID)
        if let cut = points.last { kept.append(cut.copy(answered: history.digest(behind: place.known))) }
      case .headWithoutDocuments(let turnID): return ThreadPlaces.copied(points, withoutTurn: turnID)
      case .head, .nowhere: break
      }
      return kept
    }

    /// The answers that are taken back.
    var undone: ArraySlice<ThreadPoint> {
      switch place.place {
      case .before(_, let index), .inside(_, let index): points.all[index...]
      case .head, .headWithoutDocuments, .behind, .behindCut, .nowhere: []
      }
    }

    /// The place before the turn that is taken back, for where nothing of it can be put into the thread again.
    func beforeTurn(_ history: History) -> Found {
      var before = self
      switch place.place {
      case .behindCut(let turnID, _), .inside(let turnID, _):
        guard let index = points.all.firstIndex(where: { $0.turnID == turnID }),
          let known = history.count(before: points.all[index].before)
        else { return self }
        before.place = FoundPlace(place: .before(turnID: turnID, index: index), known: known)
      case .headWithoutDocuments: before.place = FoundPlace(place: .head, known: place.known)
      case .behind(_, let index) where anew != nil && index < points.all.count:
        before.anew = nil
        before.place = FoundPlace(
          place: place.place, known: history.count(before: points.all[index].before) ?? place.known)
      case .head, .before, .behind, .nowhere: break
      }
      return before
    }
  }

  /// The place that a history leads to in a thread, or in one of others that know more of it; behind all that is in the thread if
  /// it leads nowhere.
  func find(
    _ history: History, in first: ThreadRecord, or others: [ThreadRecord], startsAnew: Bool
  ) async -> Found {
    var best: Found?
    let firstPoints = await points.points(of: first.id)
    for thread in [first] + others {
      let known = thread.id == first.id ? firstPoints : await points.points(of: thread.id)
      let found = { @Sendable in FoundPlace.find(history, in: known, startsAnew: startsAnew) }
      guard let place = history.isLarge ? await Loop.offLoop({ found() }) : found(),
        best.map({ place.isBetter(than: $0.place) }) ?? true
      else { continue }
      best = Found(thread: thread, place: place, isKnown: true, points: known)
    }
    return best ?? Found(thread: first, place: .appended(history), isKnown: false, points: firstPoints)
  }

  /// Behind all that is in a thread, with what of the history is known to be there.
  func head(of thread: ThreadRecord, _ history: History) async -> Found {
    let points = await points.points(of: thread.id)
    let known = points.last?.answered.flatMap(history.count)
    return Found(
      thread: thread, place: FoundPlace(place: .head, known: known ?? history.firstNewItem), isKnown: known != nil,
      points: points)
  }

  /// Notes that a turn has begun on a thread, after the points `base`. `known` are the items of the history that stand there
  /// already; nil if the history does not tell. `onlyLast`: of what is new the turn was told the last item.
  func began(
    _ history: History, after base: ThreadPoints, known: Int?, by turn: Turn, in session: SessionKey,
    onlyLast: Bool = false
  ) async -> NotedTurn? {
    guard let thread = turn.threadID, !turn.recording.turnID.isEmpty else { return nil }
    let turnID = turn.recording.turnID
    let first = onlyLast ? history.items.count - 1 : known ?? history.firstNewItem
    let start =
      known.map { history.digest(behind: $0) } ?? base.last?.end ?? history.start
    let new = history.items[first...]
    let hashed = { @Sendable in history.digests(from: first, after: start) }
    let behind = history.isLarge ? await Loop.offLoop { hashed() } : hashed()
    // A turn takes along its own input only: the last message of the user.
    let inputs = new.last?.message(of: .user) == nil ? 0 : 1
    var all = base
    let put = zip(new, behind).dropLast(inputs)
    for (item, digest) in put where item.message(of: .assistant) != nil {
      all.append(ThreadPoint(turnID: nil, before: start, asked: digest, answered: digest, isWhole: true))
    }
    let asked = behind.last ?? start
    let before = put.last?.1 ?? start
    var point = ThreadPoint(turnID: turnID, before: before, asked: asked)
    // Outputs come with the calls before them, whoever sends them.
    let isRound = base.last?.turnID == turnID
    point.isWhole = isRound ? base.last?.isWhole ?? false : known != nil && history.hasAnswers
    point.hasDocuments = history.endsWithDocuments
    all.append(point)
    await points.set(all, of: thread, in: session)
    return NotedTurn(
      session: session, thread: thread, turnID: turnID, asked: asked,
      opening: known == nil ? nil : history.opening)
  }

  /// Notes how a turn has ended, and the answer as its client has seen it. `isWhole`: the thread has all of that.
  func ended(_ noted: NotedTurn, _ seen: [Conversation.Item]?, isWhole: Bool, hasEffects: Bool) async {
    let answered = isWhole ? await digest(behind: seen, of: noted) : nil
    let beginning = isWhole ? nil : History.beginning(of: (seen ?? []).assistantText)
    guard answered != nil || hasEffects || beginning != nil else { return }
    var all = await points.points(of: noted.thread)
    guard let last = all.last, last.turnID == noted.turnID, last.asked == noted.asked else { return }
    all.changeLast { point in
      point.answered = answered
      point.hasEffects = hasEffects
      point.beginning = beginning
      point.hasCalls = answered != nil && (seen?.contains { $0.callID != nil } ?? false)
    }
    await points.set(all, of: noted.thread, in: noted.session)
  }

  /// Where others go on from an answer; nil if nobody can.
  func place(of noted: NotedTurn, hasCalls: Bool, _ sessions: Sessions) async -> StoredResponse.Place? {
    guard let record = try? await sessions.record(noted.session) else { return nil }
    let thread =
      ([record.current] + record.others).first { $0.id == noted.thread } ?? ThreadRecord(id: noted.thread)
    let answered = await points.points(of: noted.thread).last.flatMap {
      $0.turnID == noted.turnID ? $0.answered : nil
    }
    return StoredResponse.Place(
      session: noted.session, thread: thread, turnID: noted.turnID, hasCalls: hasCalls, answered: answered)
  }

  private func digest(behind seen: [Conversation.Item]?, of noted: NotedTurn) async -> ConversationDigest? {
    guard let seen else { return nil }
    let items = (noted.opening?.items ?? []) + seen
    let start = noted.opening?.after ?? noted.asked
    let chain = { @Sendable in ConversationDigest.chain(of: items, after: start).last ?? noted.asked }
    return Ask(conversation: Conversation(items: items)).isLarge ? await Loop.offLoop { chain() } : chain()
  }

  /// What another thread has of the points when its items are put into it.
  nonisolated static func copied(_ points: ThreadPoints, withoutTurn turnID: String? = nil) -> ThreadPoints {
    ThreadPoints(
      points.all.compactMap { point in
        guard let answered = point.answered else { return nil }
        return turnID == nil || point.turnID == turnID ? point.copy(answered: answered) : point
      }, dropped: points.dropped)
  }
}

extension ThreadPoint {
  /// What is known of it where its items have been put into a thread.
  fileprivate func copy(answered: ConversationDigest) -> ThreadPoint {
    var copy = ThreadPoint(turnID: nil, before: before, asked: asked, answered: answered)
    (copy.isWhole, copy.hasCalls, copy.hasEffects) = (isWhole, hasCalls, hasEffects)
    return copy
  }
}

extension ThreadPlace {
  /// What the answer tells of it.
  var state: SessionState {
    switch self {
    case .head, .headWithoutDocuments, .nowhere: .continued
    case .before, .behindCut, .inside: .reverted
    case .behind: .forked
    }
  }
}
