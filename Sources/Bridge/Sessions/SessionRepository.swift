// What any store of sessions must do, and how it can fail.

/// Why a repository did not do what it was asked.
enum RepositoryError: Error, Equatable, CustomStringConvertible {
  /// The store cannot be read or written at the moment. The reason is a text for people.
  case unavailable(String)
  /// The session was changed or forgotten by somebody else after its record was read.
  case conflict

  var description: String {
    switch self {
    case .unavailable(let reason): reason
    case .conflict: "the session was changed by somebody else meanwhile"
    }
  }
}

/// Keeps the records of sessions beyond the life of a request or of the process.
///
/// Every call may wait for the store and may fail, and after each of them another request may have changed what was known
/// before. A record therefore carries its version, and is only replaced by somebody who has read the latest. One turn at a
/// time changes a session in this process (`Sessions`); a store that several hosts share also has to refuse a host that
/// does not hold the session any more, by `RepositoryError.conflict`.
///
/// Changes need not last when the call that makes them returns, so that many of them can share a write; `commit` waits until
/// they do.
@LoopActor
protocol SessionRepository: AnyObject {
  /// Grows whenever a session may have changed; a list that was read before then may be old. Known without waiting.
  var revision: UInt64 { get }

  /// Why changes cannot be stored, as far as that is known without asking the store; nil while they can.
  var failure: RepositoryError? { get }

  /// The same for one session.
  func failure(of key: SessionKey) -> RepositoryError?

  /// How many sessions there are.
  func count() async throws(RepositoryError) -> Int

  /// What is known of a session; nil for nothing.
  func lookup(_ key: SessionKey) async throws(RepositoryError) -> SessionRecord?

  /// A page of the sessions of one owner, most recently used first.
  func page(_ query: SessionQuery) async throws(RepositoryError) -> SessionPage

  /// Sets what is known of a session and gives the record a new version, greater than that of any other session.
  ///
  /// `record.version` must be that of the record it replaces, or nil if there is none: otherwise nothing changes, and
  /// `RepositoryError.conflict` is thrown.
  func bind(_ key: SessionKey, _ record: SessionRecord) async throws(RepositoryError)

  /// Counts a turn of a session and the time of its use. Does nothing for a session that is not known.
  ///
  /// Stored soon. A crash may lose it: `commit(_:)` does not wait for it.
  func touch(_ key: SessionKey) async throws(RepositoryError)

  /// Sets how many assistant messages the last request on a session's thread had. Does nothing if the session uses another
  /// thread by now.
  ///
  /// Stored with the next change of the session.
  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) async throws(RepositoryError)

  /// Forgets a session. False if it is not known.
  func forget(_ key: SessionKey) async throws(RepositoryError) -> Bool

  /// Forgets the sessions that were last used before `time`, in seconds since 1970, but for those in use. Returns how many.
  func forget(
    usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool
  ) async throws(RepositoryError) -> Int

  /// Forgets sessions where there are more than `maxCount` (nil for no such bound), or more than the store can hold.
  ///
  /// Those that were not used for the longest time go first, those in use only where all others have gone, and `newest`
  /// stays in any case. Returns how many went because of `maxCount`.
  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) async throws(RepositoryError) -> Int

  /// Waits until what was last bound to a session lasts.
  func commit(_ key: SessionKey) async throws(RepositoryError)

  /// Waits until every change so far lasts.
  func commit() async throws(RepositoryError)

  /// Tells whoever waits for these sessions that `close` will follow soon.
  func announceClose()

  /// Stores what is left and lets others have the sessions. Nothing may be asked of it afterwards.
  func close() async
}

extension SessionRepository {
  func failure(of key: SessionKey) -> RepositoryError? { failure }
}
