// What is kept of a conversation that a client has made under an id of ours (OpenAI API reference, "Conversations").

/// A conversation that is kept.
struct StoredConversation: Sendable, Equatable {
  let id: String
  let owner: Principal
  /// Seconds since 1970.
  let createdAt: Int
  /// JSON text.
  var metadata: String
  /// Whether an item was taken out that its thread has.
  var isChanged = false
}

/// What has become of an item that was to be removed.
enum ItemRemoval: Sendable {
  case notFound
  case removed
}

/// Keeps conversations and their items beyond the life of the process.
///
/// Every call may wait for the store. One that changes something lasts when it returns, and returns false if it could not be
/// made.
@LoopActor
protocol ConversationRepository: AnyObject {
  /// Keeps a new conversation.
  func add(_ conversation: StoredConversation, items: [StoredItem]) async -> Bool
  /// A conversation of an owner; nil if there is none.
  func conversation(_ id: String, of owner: Principal) async -> StoredConversation?
  func setMetadata(_ metadata: String, of id: String) async -> Bool
  func remove(_ id: String) async -> Bool

  /// Adds items at the end. `areTold`: the thread has them.
  func append(_ items: [StoredItem], to id: String, areTold: Bool) async -> Bool
  func item(_ itemID: String, of id: String) async -> StoredItem?
  func items(of id: String, _ page: ItemPage) async -> ItemList
  /// Takes out an item. The conversation is changed if its thread has it.
  func removeItem(_ itemID: String, of id: String) async -> ItemRemoval
  /// All items, or those that the thread does not have; nil if they are too many for any model.
  func allItems(of id: String, onlyUntold: Bool) async -> [StoredItem]?
  /// The thread has all items that it had not, and the conversation is not changed any more.
  func markTold(_ id: String, upTo items: [StoredItem]) async
}
