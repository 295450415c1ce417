// What is remembered of a turn that waits for functions of its client, so that it can go on when the process that ran it is
// gone.

/// A turn with open calls.
struct OpenTurn: Sendable, Equatable {
  /// Whose it is: nobody else's outputs belong to it.
  let owner: Principal
  /// Nil for a turn of no session.
  let session: SessionKey?
  /// The calls that were handed out last, by their ids.
  let callIDs: [String]
  let thread: ThreadID
  /// The engine's name of the turn.
  let turnID: String
  /// What the client had said when the calls were handed out (`SHA256Digest.said`).
  let said: [SHA256Digest]
  /// How much of `said` comes before `items`.
  let saidBefore: Int
  /// How many turns its session had with this one; 0 without a session.
  var sessionTurns = 0
  /// How many items were kept before, and are not among `items`; 0 for a turn that was read.
  var keptItems = 0
  /// All other items of the turn, as the engine has told them (`TurnRecording`).
  var items: [String]
  /// Whether outputs have come: what follows may have run already.
  var isResumed = false

  /// Whether it may be meant by a request of a session. A request that names none may belong to a conversation without a name.
  func isOf(_ session: SessionKey?) -> Bool {
    self.session == session || session == nil && self.session?.isUnnamed == true
  }

  /// Whether a conversation goes on where this turn waits.
  func isContinued(by ask: Ask) -> Bool {
    // Who sends no question leaves all that came before to us, as who names the response that has called.
    if ask.conversation.isContinuation || !ask.conversation.items.contains(where: { $0.message(of: .user) != nil })
    {
      return true
    }
    return ask.said.starts(with: said) || isContinuedAfterMore(by: ask)
  }

  /// Whether what was said in this turn's own request comes before what is new, behind what earlier requests had said.
  private func isContinuedAfterMore(by ask: Ask) -> Bool {
    let conversation = ask.conversation
    let new = conversation.items[conversation.firstNewItem...].count(where: \.isSaidByClient)
    let before = ask.said.dropLast(new)
    return !said.isEmpty && before.count > said.count && before.suffix(said.count).elementsEqual(said)
  }

  /// What is new in an ask that goes on with this turn: not what stands before the outputs and was said before, which some
  /// clients send again beside the name of the response that has called.
  func news(in ask: Ask) -> [Conversation.Item] {
    let conversation = ask.conversation
    let new = Array(conversation.items[conversation.firstNewItem...])
    guard conversation.isContinuation else { return new }
    let lastOutput = new.lastIndex { $0.outputID != nil } ?? new.startIndex
    let known = Set(said)
    return new.enumerated().filter { index, item in
      if item.message(of: .assistant) != nil || item.callID != nil { return false }
      if index > lastOutput || item.outputID != nil { return true }
      return !SHA256Digest.said(in: [item]).contains(where: known.contains)
    }.map(\.element)
  }
}

/// Keeps open turns beyond the life of the process.
@LoopActor
protocol OpenTurnRepository: AnyObject {
  /// Whether what is kept can be read again, so that nobody else has to keep it.
  var isReadable: Bool { get }
  /// Keeps a turn, in place of what was kept of it but for its items, which are only ever added to. Lasts when it returns. False if
  /// it cannot be kept.
  func save(_ turn: OpenTurn) async -> Bool
  /// The items of a turn that is kept; nil if it is not.
  func items(of turnID: String) async -> [String]?
  /// Adds an item of a turn that is kept.
  func add(_ item: String, to turnID: String) async
  /// Notes that outputs have come. Lasts when it returns.
  func markResumed(_ turnID: String) async
  /// Forgets a turn.
  func remove(_ turnID: String) async
  /// Forgets the turns of a session.
  func remove(of session: SessionKey) async
  /// The turns of `owner` that have handed out a call of this id, the latest first; a few.
  func turns(withCall id: String, of owner: Principal) async -> [OpenTurn]
}
