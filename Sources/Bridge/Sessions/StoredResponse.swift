// What is kept of a response, under its id. Its objects are opaque here: the dialect makes and reads them.

/// An item of a response or of a conversation.
struct StoredItem: Sendable, Equatable {
  let id: String
  /// JSON text.
  let object: String
}

/// A response that is kept.
struct StoredResponse: Sendable, Equatable {
  /// Where it stands, as far as the store has to know.
  enum Stage: String, Sendable {
    /// Its turn has not started, or runs.
    case unfinished
    case ended
  }

  /// The place in a thread where others go on from it.
  struct Place: Sendable, Equatable {
    let session: SessionKey
    let thread: ThreadRecord
    /// The engine's name of the turn that has given the answer.
    let turnID: String
    /// Whether the answer has ended with calls of the client's functions.
    let hasCalls: Bool
    /// Behind the answer; nil for one that was cut.
    let answered: ConversationDigest?
  }

  let id: String
  let owner: Principal
  /// Seconds since 1970.
  let createdAt: Int
  let isBackground: Bool
  /// The response that it goes on from.
  let previous: String?
  /// The conversation that it belongs to.
  let conversation: String?
  var stage: Stage
  /// Nil for a response whose turn was of no session, or has not started.
  var place: Place?
  /// The response, JSON text.
  var object: String
}

/// Keeps responses and their items beyond the life of the process.
///
/// Every call may wait for the store. One that changes something lasts when it returns, and returns false if it could not be
/// made.
@LoopActor
protocol ResponseRepository: AnyObject {
  /// Keeps a response that begins, with the items of its input.
  func add(_ response: StoredResponse, input: [StoredItem]) async -> Bool
  /// Keeps how a response has ended, with the items of its output.
  func end(_ response: StoredResponse, output: [StoredItem]) async -> Bool
  /// A response of an owner; nil if there is none.
  func response(_ id: String, of owner: Principal) async -> StoredResponse?
  /// A page of the items of a response's input; nil if there is no such response.
  func input(of id: String, _ owner: Principal, _ page: ItemPage) async -> ItemList?
  /// The items of an owner with these ids, by these.
  func items(_ ids: [String], of owner: Principal) async -> [String: String]
  /// All items of a response and of those that it goes on from, the first one first; nil if one of those is not kept any more, or
  /// they are too many.
  func history(of id: String, _ owner: Principal) async -> [String]?
  /// Forgets a response. False if there is none.
  func remove(_ id: String, of owner: Principal) async -> Bool
  /// The responses that a process before this one has left unfinished.
  func unfinished() async -> [StoredResponse]
  /// Forgets what is too old. Returns the sessions to which no response belongs any more.
  func sweep() async -> [SessionKey]
}

/// Which part of a list is wanted (OpenAI API reference, "List input items").
struct ItemPage: Sendable, Equatable {
  static let defaultLimit = 20
  static let maxLimit = 100

  var limit = defaultLimit
  var isAscending = false
  /// The id of the item before the page.
  var after: String?
}

/// A part of a list.
struct ItemList: Sendable, Equatable {
  let items: [StoredItem]
  let hasMore: Bool
}
