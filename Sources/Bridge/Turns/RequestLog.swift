// Owns what is told of requests that want a turn: those under way, the latest that have ended, and the programs that have sent
// them, of each key, for the page. Nothing of what was said is in it.

import DequeModule

/// The requests of each key. Whoever answers a request reports here how far it has come.
@LoopActor
final class RequestLog {
  /// What is known of a request from its beginning.
  struct Asked: Sendable {
    let owner: Principal
    let requestID: String
    let session: SessionKey?
    let profile: ProfileKind
    /// What the client has asked for; nil where it has named no model.
    let model: String?
    let client: String?
    /// The API that it was asked in: "chat", "responses" or "completions".
    let api: String
    /// Seconds since 1970.
    let at: Int
    /// On the loop's clock.
    let since: Duration

    @LoopActor
    fileprivate init(_ request: Request, api: String, model: String?, session: SessionKey?, client: String?) {
      owner = request.principal
      requestID = request.id
      self.session = session
      profile = request.profile
      self.model = model
      self.client = client
      self.api = api
      at = unixTime()
      since = request.receivedAt
    }
  }

  /// How a request has ended.
  struct End: Sendable {
    enum State: String, Sendable {
      case completed
      /// The answer has ended with calls of the client's functions.
      case toolCalls = "tool_calls"
      /// The turn goes on in the answer to the user's next message.
      case steered
      /// Somebody has stopped the turn.
      case stopped
      /// The client has left before the end.
      case left
      case failed
    }

    struct Failure: Sendable, Equatable {
      let code: String
      let message: String

      init(_ error: APIError) {
        code = error.code ?? error.type
        message = error.message.shortened(to: RequestLog.maxMessageCharacters)
      }
    }

    var state: State
    /// Seconds since 1970.
    var at: Int
    var duration: Duration
    var firstText: Duration?
    /// The model that has answered.
    var model: String?
    var usage: TokenUsage?
    var steps = TurnSteps()
    var failure: Failure?
  }

  enum Stage {
    /// For its place among all turns, for its session, or for the engine.
    case waiting
    case running(Answer)
    case ended(End)
  }

  struct Entry {
    /// Grows from request to request.
    let number: Int
    var asked: Asked
    var stage: Stage
  }

  /// What is known of a program that sends requests.
  struct Client: Sendable {
    let name: String
    /// Seconds since 1970.
    fileprivate(set) var lastSeen = 0
    fileprivate(set) var requests = 0
    /// The field that its last request has named a session in; nil if it has named none.
    fileprivate(set) var sessionSource: String?
    /// Whether the history of its last request has led to a thread.
    fileprivate(set) var wasFound = false

    fileprivate init(name: String) { self.name = name }

    fileprivate mutating func sent(_ asked: Asked, _ source: String?) {
      (lastSeen, sessionSource, wasFound) = (asked.at, source, false)
      requests += 1
    }
  }

  /// Ended requests that are kept of each key: a page or two to look back on. Each is told to every viewer each second in which
  /// something changes.
  static let maxEndedPerKey = 50
  /// Programs that are kept of each key; those not seen for the longest time go.
  static let maxClientsPerKey = 32
  fileprivate nonisolated static let maxMessageCharacters = 500

  private var nextNumber = 0
  private var lastAgent = (agent: "", name: "")
  private var underWay: [ObjectIdentifier: Entry] = [:]
  private var ended: [Principal: Deque<Entry>] = [:]
  private var clients: [Principal: [String: Client]] = [:]
  /// Requests that have ended, of each key, since the start.
  private var counts: [Principal: Int] = [:]

  // MARK: Reports

  /// A request that will wait for its turn, asked in the API of this name. Every request that is added ends with `refused` or
  /// `ended`.
  func add(_ request: Request, api: String, model: String?, session: SessionKey?, source: String?) {
    let asked = Asked(request, api: api, model: model, session: session, client: client(of: request))
    underWay[ObjectIdentifier(request)] = Entry(number: number(), asked: asked, stage: .waiting)
    saw(asked, source)
  }

  /// The turn of a request has been accepted.
  func began(_ request: Request, _ answer: Answer) {
    guard let entry = underWay[ObjectIdentifier(request)] else { return }
    underWay[ObjectIdentifier(request)]?.stage = .running(answer)
    guard let name = entry.asked.client, entry.asked.session == nil, answer.isContinuation else { return }
    clients[request.principal]?[name]?.wasFound = true
  }

  /// A request that was refused: before anything was known of it, or when its turn was to start. `isUnwanted` if its client has
  /// left.
  func refused(_ request: Request, _ error: APIError, isUnwanted: Bool) {
    if let entry = underWay.removeValue(forKey: ObjectIdentifier(request)) {
      return keep(entry, Self.end(of: entry.asked, isUnwanted ? .left : .failed, error))
    }
    // Nobody has missed the answer.
    if isUnwanted { return }
    let asked = Asked(
      request, api: Self.api(of: request), model: nil, session: nil, client: client(of: request))
    saw(asked, nil)
    keep(Entry(number: number(), asked: asked, stage: .waiting), Self.end(of: asked, .failed, error))
  }

  /// The turn of a request has ended, or goes on in another answer.
  func ended(
    _ request: Request, _ answer: Answer, _ state: End.State, usage: TokenUsage?, _ error: APIError?
  ) {
    guard let entry = underWay.removeValue(forKey: ObjectIdentifier(request)) else { return }
    var end = Self.end(of: entry.asked, state, error)
    end.firstText = answer.firstText
    end.model = answer.identity.model
    end.usage = usage
    end.steps = answer.turn.steps
    keep(entry, end)
  }

  private func client(of request: Request) -> String? {
    ClientName.name(in: request.head.fields, remembered: &lastAgent)
  }

  private func number() -> Int {
    nextNumber += 1
    return nextNumber
  }

  private static func end(of asked: Asked, _ state: End.State, _ error: APIError?) -> End {
    End(
      state: state, at: unixTime(), duration: Loop.now - asked.since,
      failure: state == .failed ? error.map(End.Failure.init) : nil)
  }

  /// The API of a request that could not be decoded, by its path.
  private static func api(of request: Request) -> String {
    if request.head.path.hasSuffix("/chat/completions") { return "chat" }
    return request.head.path.hasSuffix("/completions") ? "completions" : "responses"
  }

  private func keep(_ entry: Entry, _ end: End) {
    let owner = entry.asked.owner
    var entry = entry
    entry.stage = .ended(end)
    ended[owner, default: []].append(entry)
    if ended[owner, default: []].count > Self.maxEndedPerKey { ended[owner]?.removeFirst() }
    counts[owner, default: 0] += 1
  }

  private func saw(_ asked: Asked, _ source: String?) {
    guard let name = asked.client else { return }
    clients[asked.owner, default: [:]][name, default: Client(name: name)].sent(asked, source)
    guard let seen = clients[asked.owner], seen.count > Self.maxClientsPerKey else { return }
    if let oldest = seen.values.min(by: { $0.lastSeen < $1.lastSeen }) { clients[asked.owner]?[oldest.name] = nil }
  }

  // MARK: What is known

  /// The requests of `owner`, newest first, at most `limit`. Those under way are always among them, up to the limit.
  func requests(of owner: Principal, limit: Int) -> [Entry] {
    let newest = underWay.values.filter { $0.asked.owner == owner }.sorted { $0.number > $1.number }.prefix(limit)
    let rest = (ended[owner] ?? []).suffix(limit - newest.count)
    return (newest + rest).sorted { $0.number > $1.number }
  }

  /// The programs that have sent requests of `owner`, last seen first.
  func clients(of owner: Principal) -> [Client] {
    (clients[owner] ?? [:]).values.sorted { ($1.lastSeen, $0.name) < ($0.lastSeen, $1.name) }
  }

  /// How many requests of `owner` have ended since the start.
  func count(of owner: Principal) -> Int { counts[owner] ?? 0 }
}
