// Owns the list of answers under way, for the dashboard, for stopping a turn, and for requests that are sent again, together with
// what is remembered of answers that have ended.

/// The answers under way, with their owners and their readers.
@LoopActor
final class AnswerRegistry {
  /// What a request that was sent again has got.
  enum Repeat: String, CaseIterable {
    /// A part in the running turn.
    case running
    /// The answer that was kept.
    case kept
    /// The failure of the turn before.
    case failure
  }

  /// How often old answers are thrown away.
  private static let sweepInterval = Duration.seconds(1)

  private var answers: [Int: Answer] = [:]
  /// Tells when an answer has been removed.
  private let changes = ChangeSignal()
  private var nextID = 0
  private let grace: Duration
  /// Whether a turn is ended once its answer has no readers.
  private let interrupts: Bool
  private var underWay: [AnswerKey: [AnswerReaders]] = [:]
  /// Answers under way that have names, by these.
  private var named: [String: AnswerReaders] = [:]
  /// Streams that have ended a moment ago, of answers with names.
  private var endedStreams = EndedStreams()
  private var memory = AnswerMemory()
  private var sweeper = Ticker()
  /// How many requests have got what.
  private(set) var repeats: [Repeat: Int] = [:]

  /// `grace` is how long the turn of an answer that is sent whole goes on without readers, if `interrupts`.
  init(grace: Duration = .zero, interrupts: Bool = true) {
    self.grace = grace
    self.interrupts = interrupts
  }

  convenience init(_ configuration: Configuration) {
    self.init(
      grace: configuration[Settings.retryGrace], interrupts: configuration[Settings.onDisconnect] == .interrupt)
  }

  isolated deinit { sweeper.stop() }

  // MARK: Turns

  /// Adds an answer whose turn was accepted. Returns an id for `remove`, which is called when the answer is complete. The
  /// list is bounded by the number of turns that may run at once.
  func add(_ answer: Answer) -> Int {
    nextID += 1
    answers[nextID] = answer
    return nextID
  }

  func remove(_ id: Int) {
    answers[id] = nil
    changes.send()
  }

  /// The number of answers under way, of all keys.
  var count: Int { answers.count }

  /// Waits until no answer is under way, for `limit` at most.
  func waitUntilNone(atMost limit: Duration) async { await changes.wait(atMost: limit) { self.answers.isEmpty } }

  /// The sessions of the answers under way.
  var sessions: Set<SessionKey> { Set(answers.values.compactMap(\.session)) }

  /// The answer of a session whose turn is its own; nil if there is none.
  func answer(in session: SessionKey) -> Answer? {
    answers.values.first { $0.session == session && $0.steering != .handedOver }
  }

  /// The session of the answer whose turn runs in a thread; nil if there is none.
  func session(of thread: ThreadID) -> SessionKey? {
    answers.values.first { $0.turn.threadID == thread }?.session
  }

  /// Waits until a session has no turn that is just being stopped, for `limit` at most.
  func waitForEnding(in session: SessionKey, atMost limit: Duration) async {
    await changes.wait(atMost: limit) { !self.isBeingEnded(in: session) }
  }

  /// Whether the turn of a session runs only until it is stopped.
  func isBeingEnded(in session: SessionKey) -> Bool { answer(in: session)?.turn.isInterrupted ?? false }

  func count(of owner: Principal) -> Int { answers.values.count { $0.turn.owner == owner } }

  /// The oldest answers under way to `owner`, at most `limit`, oldest first.
  func answers(to owner: Principal, limit: Int) -> [Answer] {
    answers.filter { $0.value.turn.owner == owner }.sorted { $0.key < $1.key }.prefix(limit).map(\.value)
  }

  /// Interrupts the turns of a request of `owner`. Clients choose request ids, so several requests may have the same one.
  /// Returns false if there is no such turn.
  func stop(requestID: String, by owner: Principal) -> Bool {
    let found = answers.values.map(\.turn).filter { $0.requestID == requestID && $0.owner == owner }
    for turn in found { turn.interrupt() }
    return !found.isEmpty
  }

  // MARK: Requests

  /// Takes a request in: returns the readers of its answer, of which it is the first, or nil if it has got an answer that
  /// was under way or kept. `user` is the verified person behind the key; nil if nobody is told apart.
  func enter(_ reader: AnswerReader, session: SessionKey?, user: String? = nil) -> AnswerReaders? {
    guard let key = AnswerKey(reader, session, user) else {
      let readers = AnswerReaders(reader, nil, grace: grace)
      if let keeper = reader.keeper { named[keeper.id] = readers }
      return readers
    }
    let known = underWay[key] ?? []
    if !known.isEmpty || !memory.isEmpty {
      switch decision(for: reader, key, known) {
      case .run: memory.forget(key)
      case .join(let index):
        known[index].join(reader)
        repeated(.running, reader, known[index].id)
        return nil
      case .answerAgain: if answerAgain(reader, key) { return nil }
      case .failAgain: if failAgain(reader, key) { return nil }
      }
    }
    let readers = AnswerReaders(reader, key, grace: grace)
    underWay[key] = known + [readers]
    if let keeper = reader.keeper { named[keeper.id] = readers }
    return readers
  }

  /// Gives up an answer in a session that nobody reads any more, although somebody might come back for it.
  func abandonUnread(in session: SessionKey) {
    for readers in named.values where readers.session == session && !readers.isAttended {
      if readers.keeper?.isBackground != true { readers.cancel() }
    }
  }

  /// The readers of an answer of `owner` under way, by its name; nil if there is none.
  func readers(ofAnswer id: String, of owner: Principal) -> AnswerReaders? {
    named[id].flatMap { $0.principal == owner ? $0 : nil }
  }

  /// A stream of `owner` that has ended a moment ago; nil if it is not known any more.
  func endedStream(_ id: String, of owner: Principal) -> EndedStreams.Stream? {
    endedStreams.stream(id, at: Loop.now).flatMap { $0.owner == owner ? $0 : nil }
  }

  /// Tells a reader a stream again.
  func tell(_ ended: EndedStreams.Stream, to reader: AnswerReader) {
    tell(ended.log, ended.identity, [], ended.fields, to: reader, ended.failure)
  }

  private func tell(
    _ log: AnswerLog, _ identity: AnswerIdentity, _ stops: [String], _ fields: ResponseFields,
    to reader: AnswerReader, _ failure: APIError? = nil
  ) {
    let told = AnswerStreamReader(
      reader.dialect.renderer(identity, stops: stops), reader.writer, fields, from: .start)
    // With a failure the stream is told that has ended so, and not the failure in place of it.
    told.start()
    told.finish(failure, after: log)
  }

  private func decision(for reader: AnswerReader, _ key: AnswerKey, _ known: [AnswerReaders]) -> RepeatDecision {
    RepeatDecision.decide(
      reader.request.repeatMark,
      underWay: known.map { RepeatDecision.UnderWay(isAttended: $0.isAttended, isJoinable: $0.isJoinable) },
      ended: memory.ended(key, at: Loop.now), hasFailure: memory.hasFailure(key, at: Loop.now), grace: grace)
  }

  private func answerAgain(_ reader: AnswerReader, _ key: AnswerKey) -> Bool {
    guard let (kept, requestID) = memory.answer(key) else { return false }
    repeated(.kept, reader, requestID)
    let mark = AnswerReaders.fields(joining: requestID)
    switch kept {
    case .whole(var response):
      response.fields.append(mark)
      reader.writer.send(response)
    case .stream(let log, let identity, let stops, let fields):
      tell(log, identity, stops, fields.appending(mark), to: reader)
    }
    return true
  }

  private func failAgain(_ reader: AnswerReader, _ key: AnswerKey) -> Bool {
    guard let (failure, requestID, number) = memory.failAgain(key) else { return false }
    repeated(.failure, reader, requestID)
    var response = failure
    response.fields.append(AnswerReaders.fields(joining: requestID))
    response.fields.append("x-bridge-repeated-failure", String(number))
    reader.writer.send(response)
    return true
  }

  private func repeated(_ how: Repeat, _ reader: AnswerReader, _ requestID: String) {
    repeats[how, default: 0] += 1
    Log.info(
      "a request is answered with the turn of an earlier one",
      ["request": reader.request.id, "earlier": requestID, "answer": how.rawValue])
  }

  // MARK: Answers

  /// Whether a streamed answer may get further readers: its client says so of itself, or its turn goes on without readers.
  func mayBeRepeated(_ readers: AnswerReaders) -> Bool {
    readers.key != nil && (readers.marksRetries || !interrupts)
  }

  /// The turn of a request has its places and is about to be given to the engine. The engine may call its model before it says
  /// that it has accepted the turn, so a client that leaves in between may come back as one that leaves later may.
  func starts(_ readers: AnswerReaders, isStreamed: Bool) {
    // A client that streams sees that it is cut off, and what it has seen cannot be joined on, unless the answer has a name.
    let waits = (!isStreamed || readers.keeper?.isStored == true) && grace > .zero
    readers.starts(!interrupts ? .endless : waits ? .grace : .none)
  }

  /// The turn of a request will not start. Returns those who have joined it.
  func refused(_ readers: AnswerReaders) -> [AnswerReader] {
    remove(readers)
    return readers.answerEnded()
  }

  /// An answer has ended well, and its client has been told. `keep` is called if it may be asked for again.
  func ended(_ readers: AnswerReaders, keep: () -> KeptAnswer?) {
    readers.answerEnded()
    remove(readers)
    let isUnread = !readers.isAttended
    guard let key = readers.key, readers.marksRetries || isUnread, let answer = keep() else { return }
    memory.keep(answer, of: readers.id, isUnread: isUnread, for: key, at: Loop.now)
    sweepLater()
  }

  /// The turn of a request has failed after it had started, and its client has been told.
  func failed(_ readers: AnswerReaders, _ error: APIError, _ response: Response) {
    readers.answerEnded()
    remove(readers)
    // What may be repeated at once is run again at once. A client that has left is no failure.
    guard let key = readers.key, error.mayRetry == false, !readers.isClientGone else { return }
    memory.fail(response, of: readers.id, for: key, at: Loop.now)
    sweepLater()
  }

  /// A stream has ended whose answer has a name, and its client has been told.
  func streamEnded(_ readers: AnswerReaders, _ stream: KeptAnswer?, _ failure: APIError?) {
    guard let keeper = readers.keeper, case .stream(let log, let identity, _, let fields)? = stream else { return }
    endedStreams.keep(
      EndedStreams.Stream(
        owner: readers.principal, dialect: readers.first.dialect, log: log, identity: identity, fields: fields,
        failure: failure, at: Loop.now),
      keeper.id)
    sweepLater()
  }

  private func remove(_ readers: AnswerReaders) {
    if let keeper = readers.keeper, named[keeper.id] === readers { named[keeper.id] = nil }
    guard let key = readers.key, var others = underWay[key] else { return }
    others.removeAll { $0 === readers }
    underWay[key] = others.isEmpty ? nil : others
  }

  private func sweepLater() {
    guard !memory.isEmpty || !endedStreams.isEmpty else { return }
    sweeper.start(every: Self.sweepInterval) { [weak self] in self?.sweep() }
  }

  private func sweep() {
    memory.sweep(at: Loop.now)
    endedStreams.sweep(at: Loop.now)
    if memory.isEmpty, endedStreams.isEmpty { sweeper.stop() }
  }
}

extension AnswerKey {
  /// Nil for a request whose body was not read, and for one in the background: its client has been told a name of its own, under
  /// which it will ask for the answer.
  @LoopActor
  fileprivate init?(_ reader: AnswerReader, _ session: SessionKey?, _ user: String?) {
    guard let body = reader.request.bodyFingerprint, reader.keeper?.isBackground != true else { return nil }
    self.init(
      body: body, owner: reader.request.principal, profile: reader.request.profile,
      dialect: reader.dialect.idPrefix.description, session: session, user: user)
  }
}
