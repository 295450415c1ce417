// The history that a request brings, and where in a thread it goes on. Pure.

/// A conversation with the digests by which its places are found.
struct History: Sendable {
  /// Digests that are looked for at most. Who goes back further than so many answers begins anew.
  private static let maxSought = 64

  let items: [Conversation.Item]
  /// Of the empty conversation.
  let start: ConversationDigest
  /// Behind each item.
  private let behind: [ConversationDigest]
  /// How many items there are up to the first place with a digest.
  private let known: [ConversationDigest: Int]
  /// `Conversation.firstNewItem`.
  let firstNewItem: Int
  /// Where the first answer is; behind all where there is none.
  private let firstAnswer: Int
  /// Whether a front end has added documents to the question at the end.
  let endsWithDocuments: Bool
  /// A digest of the client's key to the provider's cache; nil where it has sent none.
  let cacheKey: String?
  /// Whether what is made of it would hold up the loop.
  let isLarge: Bool

  /// To be made beside the loop where the conversation is large.
  init(
    _ conversation: Conversation, of owner: Principal, user: String? = nil, cacheKey: String? = nil,
    isLarge: Bool = false
  ) {
    self.isLarge = isLarge
    self.cacheKey = cacheKey.map { SHA256Digest(of: $0).hex }
    firstAnswer = conversation.items.firstIndex(where: \.isOfAssistant) ?? conversation.items.count
    endsWithDocuments = conversation.items.last?.hasDocuments ?? false
    items = conversation.items
    firstNewItem = conversation.firstNewItem
    start = ConversationDigest(owner: owner, user: user)
    behind = ConversationDigest.chain(of: items, after: start)
    known = Dictionary(zip(behind, 1...)) { first, _ in first }.merging([start: 0]) { _, zero in zero }
  }

  /// How many items come before a place; nil if the history does not lead there.
  func count(before digest: ConversationDigest) -> Int? { known[digest] }

  /// Behind so many items.
  func digest(behind count: Int) -> ConversationDigest { count > 0 ? behind[count - 1] : start }

  /// Whether the assistant has said something among the first so many items.
  func hasAnswer(before count: Int) -> Bool { firstAnswer < count }

  var hasAnswers: Bool { hasAnswer(before: items.count) }

  /// Where a thread may end that the history goes on from: behind the answers that were told before what is new, the latest first. The
  /// last one may have been cut: then the thread ends behind the question to it.
  var ends: [ConversationDigest] {
    let answers = items.indices.prefix(firstNewItem).filter { index in
      items[index].isOfAssistant && (index + 1 == items.count || !items[index + 1].isOfAssistant)
    }
    var ends = answers.suffix(Self.maxSought).reversed().map { behind[$0] }
    let cut = items[..<firstNewItem].reversed().prefix(while: \.isOfAssistant).count
    if cut > 0, firstNewItem > cut { ends.insert(digest(behind: firstNewItem - cut), at: 1) }
    return ends
  }

  /// The beginning of an answer, which a client sends back to have it continued.
  struct Opening: Sendable {
    let items: [Conversation.Item]
    /// Behind all that comes before it.
    let after: ConversationDigest
  }

  /// The beginning of an answer that the history ends with; nil if it ends with something else.
  var opening: Opening? {
    let count = items.reversed().prefix { $0.message(of: .assistant) != nil }.count
    guard count > 0 else { return nil }
    return Opening(items: Array(items.suffix(count)), after: digest(behind: items.count - count))
  }

  /// How much of it is there where its client has seen the beginning of the answer at a point, which was cut, and nothing but text; nil
  /// if it has not.
  func seen(ofCut point: ThreadPoint) -> Int? {
    guard point.answered == nil, let asked = known[point.asked] else { return nil }
    let answer = items[asked...].prefix(while: \.isOfAssistant)
    return answer.isEmpty || answer.contains { $0.callID != nil } ? nil : answer.endIndex
  }

  /// Characters of an answer that was cut by which it is known again.
  private static let beginningLength = 32

  /// How an answer begins; nil for one that says nothing.
  static func beginning(of answer: String) -> String? {
    let text = ClientRewritings.answer(answer)
    return text.isEmpty ? nil : String(text.prefix(beginningLength))
  }

  /// Whether it sends back what was seen of the answer at a point, which was cut.
  func continues(_ cut: ThreadPoint) -> Bool {
    guard let sent = cut.beginning, let seen = Self.beginning(of: text(after: cut.asked, before: firstNewItem))
    else {
      return false
    }
    return sent.hasPrefix(seen) || seen.hasPrefix(sent)
  }

  /// What is said in the items behind a place, up to so many.
  func text(after place: ConversationDigest, before count: Int) -> String {
    guard let first = known[place], first < count else { return "" }
    return items[first..<count].assistantText
  }

  /// Whether so many items are followed by outputs of calls and nothing else but what is new.
  func bringsOutputs(behind count: Int) -> Bool {
    !items[count...].contains(where: \.isOfAssistant) && items[count...].contains { $0.outputID != nil }
  }

  /// The digests behind the items from `first` on: those of the history, or of what is said after another place.
  func digests(from first: Int, after place: ConversationDigest) -> [ConversationDigest] {
    if place == digest(behind: first) { return Array(behind[first...]) }
    return ConversationDigest.chain(of: items[first...], after: place)
  }
}

extension Conversation.Item {
  fileprivate var isOfAssistant: Bool { message(of: .assistant) != nil || callID != nil }

  /// Whether it is a question to which a front end has added documents.
  fileprivate var hasDocuments: Bool {
    guard let text = message(of: .user)?.text else { return false }
    return ClientRewritings.withoutRetrieval(ClientRewritings.trimmed(text)) != nil
  }
}

/// Where in a thread a request goes on.
enum ThreadPlace: Sendable, Equatable {
  /// Behind all that is there.
  case head
  /// Before one of its turns, which is taken back with all after it. `index` is that of the turn's first point.
  case before(turnID: String, index: Int)
  /// Behind one of its turns and before what was put into the thread after it, which no turn takes along. `index` is that of
  /// the first point after it.
  case behind(turnID: String, index: Int)
  /// Behind all that is there, once the documents are taken out that a front end had added to the last question: `turnID` is the
  /// turn of it.
  case headWithoutDocuments(turnID: String)
  /// Behind one of its turns that was cut, whose answer the history has as far as its client has seen it: the turn is taken back,
  /// and put into the thread again with that answer. `index` is that of the turn's first point.
  case behindCut(turnID: String, index: Int)
  /// Inside one of its turns, where calls of the client's functions have returned: the turn is taken back, and what it had done up to
  /// its calls is put into the thread again. `index` is that of the point of their outputs.
  case inside(turnID: String, index: Int)
  /// The thread has the beginning of the history, and cannot be taken back to there.
  case nowhere
}

extension ThreadPlace {
  /// How much of the thread stays as it is.
  fileprivate var rank: Int {
    switch self {
    case .head, .headWithoutDocuments: 3
    case .before, .behindCut, .inside: 2
    case .behind: 1
    case .nowhere: 0
    }
  }
}

/// A place of a thread, and what of the history is there already.
struct FoundPlace: Sendable, Equatable {
  let place: ThreadPlace
  /// The items before it.
  let known: Int

  /// Behind everything, for a request that says what is new and no more.
  static func appended(_ history: History) -> FoundPlace { FoundPlace(place: .head, known: history.firstNewItem) }

  /// The place that a history leads to in a thread; nil if the request is not known to come from there. `startsAnew`: its client
  /// says that it changes its first message.
  static func find(_ history: History, in points: ThreadPoints, startsAnew: Bool = false) -> FoundPlace? {
    guard let last = points.last else { return nil }
    if !history.hasAnswers, repeats(history, last), let turnID = last.turnID {
      return FoundPlace(place: .before(turnID: turnID, index: points.all.count - 1), known: 0)
    }
    var best: FoundPlace?
    let offer = { (place: ThreadPlace, known: Int) in
      let offered = FoundPlace(place: place, known: known)
      if best.map(offered.isBetter) ?? true { best = offered }
    }
    if let known = points.reached?.answered.flatMap(history.count) { offer(last.head, known) }
    var firstOfTurn = 0
    for (index, point) in points.all.enumerated() {
      let previous = index > 0 ? points.all[index - 1] : nil
      let mayGoBack = { (known: Int) in self.mayGoBack(to: point, at: known, last, history, startsAnew) }
      guard let turnID = point.turnID else {
        if let known = point.answered.flatMap(history.count) { offer(.nowhere, known) }
        if let known = history.count(before: point.before), mayGoBack(known) {
          offer(previous.behind(index), known)
        }
        continue
      }
      if previous?.turnID == turnID {
        if let found = inside(turnID, points, at: index, from: firstOfTurn, history) {
          offer(found.place, found.known)
        }
        continue
      }
      firstOfTurn = index
      // The engine has ended a turn of its own that waited for its calls.
      if previous?.hasCalls == true, previous?.turnID != nil { continue }
      if let known = history.count(before: point.before) {
        if index + 1 == points.all.count, let seen = history.seen(ofCut: point) {
          offer(.behindCut(turnID: turnID, index: index), seen)
        } else if mayGoBack(known) {
          offer(.before(turnID: turnID, index: index), known)
        }
      } else if let known = previous?.answered.flatMap(history.count) {
        offer(previous.behind(index), known)
      }
    }
    return best
  }

  /// Where a history leaves a turn between two of its answers; nil if it does not. `index` is that of the second one's point, `first`
  /// that of the turn's first.
  private static func inside(
    _ turnID: String, _ points: ThreadPoints, at index: Int, from first: Int, _ history: History
  ) -> FoundPlace? {
    let (previous, point) = (points.all[index - 1], points.all[index])
    if index + 1 == points.all.count, previous.hasCalls, let seen = history.seen(ofCut: point) {
      return FoundPlace(place: .behindCut(turnID: turnID, index: first), known: seen)
    }
    guard let known = previous.answered.flatMap(history.count) else { return nil }
    if previous.hasCalls, history.bringsOutputs(behind: known) {
      return FoundPlace(place: .inside(turnID: turnID, index: index), known: known)
    }
    return history.count(before: points.all[first].before).map {
      FoundPlace(place: .before(turnID: turnID, index: first), known: $0)
    }
  }

  /// Whether it leads further than another place, or as far and undoes less.
  func isBetter(than other: FoundPlace) -> Bool { (known, place.rank) > (other.known, other.place.rank) }

  /// Whether a request without a history asks again what was asked last, which has failed or was cut.
  private static func repeats(_ history: History, _ last: ThreadPoint) -> Bool {
    last.answered == nil && history.digests(from: 0, after: last.before).last == last.asked
  }

  /// A session cannot tell a message from a history by its look. Equal words without an answer before them are one more message,
  /// unless the client is known to send its history, or says so.
  private static func mayGoBack(
    to point: ThreadPoint, at known: Int, _ last: ThreadPoint, _ history: History, _ startsAnew: Bool
  ) -> Bool {
    if last.isWhole || history.hasAnswer(before: known) { return true }
    // A history whose answers nobody knows may have been written anew from its beginning.
    if startsAnew, !history.hasAnswers || history.count(before: point.asked) != nil { return true }
    // What was cut comes back as the client has seen it.
    return point.answered == nil && history.hasAnswers && history.count(before: point.asked) != nil
  }
}

extension ThreadPoints {
  /// The last answer of the thread. A turn that was cut after an answer with calls has done what it has done: it goes on from there.
  fileprivate var reached: ThreadPoint? {
    guard let last, last.answered == nil, let earlier = all.dropLast().last, earlier.turnID == last.turnID else {
      return last
    }
    return earlier.hasCalls ? earlier : last
  }
}

extension Sequence<Conversation.Item> {
  /// What the assistant says in them.
  var assistantText: String { compactMap { $0.message(of: .assistant)?.text }.joined() }
}

extension ThreadPoint? {
  /// The place behind its turn and before what follows it, the point of that having an index.
  fileprivate func behind(_ index: Int) -> ThreadPlace {
    self?.turnID.map { .behind(turnID: $0, index: index) } ?? .nowhere
  }
}

extension ThreadPoint {
  /// The place behind it.
  fileprivate var head: ThreadPlace {
    guard hasDocuments, answered != nil, let turnID else { return .head }
    return .headWithoutDocuments(turnID: turnID)
  }
}
