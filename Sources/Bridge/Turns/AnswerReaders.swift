// Those who wait for one answer, from the moment in which its request is accepted. To what starts the turn they are one
// caller, who leaves when the last of them has left.

/// A request with the place where its answer is written, and the form of that.
struct AnswerReader {
  let request: Request
  let writer: ResponseWriter
  let dialect: any AnswerDialect
  /// Nil for an answer without a name.
  let keeper: (any AnswerKeeper)?

  init(
    _ request: Request, _ writer: ResponseWriter, _ dialect: any AnswerDialect, keeper: (any AnswerKeeper)? = nil
  ) {
    self.request = request
    self.writer = writer
    self.dialect = dialect
    self.keeper = keeper
  }
}

/// What tells an answer under way to those who read it.
@LoopActor
protocol AnswerTeller: AnyObject {
  /// Whether another reader can still be told all of it, and it is not being ended.
  var isJoinable: Bool { get }
  /// Whether it tells it piece by piece.
  var isStream: Bool { get }
  /// Adds a reader, which is told all from the beginning. `fields` are further ones of its response.
  func join(_ reader: AnswerReader, _ fields: ResponseFields)
  /// The client of a reader that has joined is gone.
  func leave(_ writer: ResponseWriter)
}

/// The readers of one answer.
@LoopActor
final class AnswerReaders: Caller {
  private enum Stage {
    /// The turn is not accepted yet. These have joined meanwhile.
    case starting(waiting: [AnswerReader])
    case told(any AnswerTeller)
    case over
  }

  /// Whoever has asked for the answer.
  let first: AnswerReader
  let key: AnswerKey?
  /// Whether the client marks what it sends again, so that it is worth while to keep the answer for it.
  let marksRetries: Bool
  /// The session in which the answer is given, once its turn has been accepted.
  private(set) var session: SessionKey?
  private let grace: Duration
  private var requests: [Request] = []
  private var attendance = AnswerAttendance()
  private var stage = Stage.starting(waiting: [])
  private var actions = ClientGoneActions()
  private var graceTimer: LoopTimer?

  /// `grace` is how long an answer that is sent whole is waited for by nobody.
  init(_ first: AnswerReader, _ key: AnswerKey?, grace: Duration) {
    self.first = first
    self.key = key
    self.grace = grace
    marksRetries = first.request.head.fields.range(of: Request.retryCountField) != nil
    if first.keeper?.isBackground == true { attendance.starts(.endless) }
    attend(first)
  }

  /// What keeps the answer; nil for one without a name.
  var keeper: (any AnswerKeeper)? { first.keeper }

  // MARK: As a caller

  var id: String { first.request.id }
  var principal: Principal { first.request.principal }
  var profile: ProfileKind { first.request.profile }
  var isClientGone: Bool { attendance.isAbandoned }
  /// Whether somebody is there.
  var isAttended: Bool { attendance.isAttended }

  @discardableResult
  func onClientGone(_ action: @escaping @LoopActor () -> Void) -> ClientGoneAction {
    let added = actions.add(action)
    if isClientGone, let action = actions.remove(added) { action() }
    return added
  }

  func remove(_ action: ClientGoneAction) { actions.remove(action) }

  func holdsMore(bytes: Int) -> Bool { first.request.holdsMore(bytes: bytes) }

  // MARK: Readers

  /// Whether the answer is told piece by piece, or may yet be.
  var isStreamed: Bool {
    if case .told(let teller) = stage { teller.isStream } else { true }
  }

  var isJoinable: Bool {
    switch stage {
    case .starting: !isClientGone
    case .told(let teller): !isClientGone && teller.isJoinable
    case .over: false
    }
  }

  /// Adds a reader to an answer that is joinable.
  func join(_ reader: AnswerReader) {
    reader.writer.isDeferred = true
    reader.request.forgetContent()
    perform(attendance.joined())
    switch stage {
    case .starting(let waiting): stage = .starting(waiting: waiting + [reader])
    case .told(let teller): teller.join(reader, Self.fields(joining: id))
    case .over: break
    }
    attend(reader)
  }

  private func attend(_ reader: AnswerReader) {
    requests.append(reader.request)
    reader.request.onClientGone { self.left(reader) }
  }

  private func left(_ reader: AnswerReader) {
    let action = attendance.left()
    if action == .startGrace || attendance.isAttended {
      // A client may have closed its own side alone. Its connection would stay open until the answer ends.
      if case .told(let teller) = stage { teller.leave(reader.writer) }
      if reader.writer.hasBegun {
        reader.writer.abort()
      } else {
        reader.writer.send(APIError(.cancelled, hasStarted: true).response)
      }
    }
    perform(action)
  }

  private func perform(_ action: AnswerAttendance.Action) {
    switch action {
    case .none: break
    case .startGrace:
      let timer = LoopTimer { self.perform(self.attendance.graceEnded()) }
      timer.start(after: grace)
      graceTimer = timer
    case .stopGrace: stopGrace()
    case .abandon:
      stopGrace()
      for action in actions.takeAll() { action() }
    }
  }

  private func stopGrace() {
    graceTimer?.close()
    graceTimer = nil
  }

  /// What tells the client of a request that its answer is that to an earlier one.
  static func fields(joining requestID: String) -> ResponseFields { ["x-bridge-joined": requestID] }

  // MARK: The turn

  /// The turn has its places and is about to be given to the engine.
  func starts(_ patience: AnswerAttendance.Patience) {
    if keeper?.isBackground != true { attendance.starts(patience) }
  }

  /// Nobody wants the answer any more, whoever reads it. Its turn ends, or will not start.
  func cancel() { perform(attendance.cancelled()) }

  /// The turn has been accepted, and is told by `teller`.
  func began(_ teller: any AnswerTeller, in session: SessionKey? = nil) {
    self.session = session
    let waiting = if case .starting(let waiting) = stage { waiting } else { [AnswerReader]() }
    stage = .told(teller)
    for reader in waiting { teller.join(reader, Self.fields(joining: id)) }
  }

  /// The turn has ended, or will not start: who leaves from here on has read its answer, or waits for the rest of it.
  func turnEnded() {
    perform(attendance.ended())
    _ = actions.takeAll()
    for request in requests { request.removeClientGoneActions() }
    requests = []
  }

  /// The answer has ended, and nobody can join it any more. Returns those who have waited for its beginning.
  @discardableResult
  func answerEnded() -> [AnswerReader] {
    turnEnded()
    defer { stage = .over }
    return if case .starting(let waiting) = stage { waiting } else { [] }
  }
}
