// The conversations of `bridged chat` in one directory: which there are, which is meant by a number or an id. Pure.

/// A conversation that can be gone on with.
struct KeptConversation: Sendable, Equatable {
  /// A turn, and the beginning of what was asked in it.
  struct Mark: Sendable, Equatable {
    let turnID: String
    let words: String
  }

  /// Turns that can be taken back. With more, the file grows; nobody goes back so far one by one.
  static let maxMarks = 20
  /// Bytes of what is kept of a message, enough to know it again.
  private static let maxWordsBytes = 60

  /// Chosen at random; begins with a letter, so that it is no number of a list.
  let id: String
  /// Title, threads and use.
  var record: SessionRecord
  /// The model that the person has asked for; may carry an effort. Nil for the default.
  var modelName: String?
  /// The last turns of its current thread, oldest first.
  private(set) var marks: [Mark] = []
  /// The turn that the thread is taken back to before the next one starts; nil if it goes on behind all it has.
  private(set) var cut: String?

  init(id: String, record: SessionRecord, modelName: String? = nil, marks: [Mark] = [], cut: String? = nil) {
    self.id = id
    self.record = record
    self.modelName = modelName
    self.marks = marks
    self.cut = cut
  }

  /// Notes a turn that has begun. `isNewThread`: the turns before it cannot be taken back any more.
  mutating func began(_ turnID: String, saying text: String, isNewThread: Bool, at time: Int) {
    if isNewThread { marks = [] }
    let words = SessionTitle.made(of: text)?.beginning(ofBytes: Self.maxWordsBytes) ?? ""
    marks = (marks + [Mark(turnID: turnID, words: String(words))]).suffix(Self.maxMarks)
    cut = nil
    if record.title == nil { record.title = SessionTitle.made(of: text) }
    record.turns += 1
    record.usedAt = time
  }

  /// Takes the last turn back, with the next message. Returns which; nil if there is none that can be.
  mutating func undo() -> Mark? {
    guard let last = marks.popLast() else { return nil }
    cut = last.turnID
    record.turns = max(0, record.turns - 1)
    return last
  }
}

/// The conversations of a directory, the one used last first.
struct ChatList: Sendable, Equatable {
  /// What a person means.
  enum Choice: Equatable {
    case one(KeptConversation)
    case none
    /// The beginning of several ids.
    case several(Int)
  }

  /// Conversations that are kept. With more, the file and the list grow; those that were not used for the longest time go.
  /// Their threads stay under Codex's home.
  static let maxCount = 100

  private(set) var all: [KeptConversation]

  init(_ all: [KeptConversation] = []) { self.all = Array(all.prefix(Self.maxCount)) }

  subscript(_ id: String) -> KeptConversation? { all.first { $0.id == id } }

  /// Makes a conversation the one used last.
  mutating func use(_ conversation: KeptConversation) {
    all.removeAll { $0.id == conversation.id }
    all.insert(conversation, at: 0)
    all = Array(all.prefix(Self.maxCount))
  }

  mutating func forget(_ id: String) { all.removeAll { $0.id == id } }

  /// `text` is a number of the list, from 1, or the beginning of an id.
  func choose(_ text: String) -> Choice {
    let text = text.trimmingSpaces().lowercased()
    if let number = Int(text), all.indices.contains(number - 1) { return .one(all[number - 1]) }
    guard !text.isEmpty else { return .none }
    let found = all.filter { $0.id.hasPrefix(text) }
    return found.count == 1 ? .one(found[0]) : found.isEmpty ? .none : .several(found.count)
  }
}

// MARK: In words

extension KeptConversation {
  var title: String { record.title?.printable ?? "(no title yet)" }

  /// `“TITLE” (6 turns, yesterday)`.
  func described(now: Int) -> String {
    "“\(title)” (\(Self.turns(record.turns)), \(Age.text(seconds: now - record.usedAt)))"
  }

  static func turns(_ count: Int) -> String { count == 1 ? "1 turn" : "\(count) turns" }

  /// What `--list --json` says of it.
  var json: JSONValue {
    [
      "id": .string(id), "title": .text(record.title), "turns": .int(record.turns), "model": .text(modelName),
      "created_at": .int(record.createdAt), "used_at": .int(record.usedAt), "thread": .string(record.thread.raw),
    ]
  }
}

extension ChatList {
  /// A line for each conversation: number, title, turns, when it was used, id.
  func lines(now: Int, columns: Int) -> [String] {
    let turns = all.map { KeptConversation.turns($0.record.turns) }
    let ages = all.map { Age.text(seconds: now - $0.record.usedAt) }
    let widest = { (texts: [String]) in texts.map { $0.displayWidth }.max() ?? 0 }
    let (turnWidth, ageWidth, idWidth) = (widest(turns), widest(ages), widest(all.map(\.id)))
    let numberWidth = String(all.count).count
    let room = max(Self.minTitleWidth, columns - numberWidth - turnWidth - ageWidth - idWidth - 4 * Self.gap - 1)
    let titleWidth = min(room, widest(all.map(\.title)))
    return all.indices.map { index in
      let number = String(index + 1)
      let parts = [
        String(repeating: " ", count: numberWidth - number.count) + number,
        all[index].title.cut(toWidth: titleWidth).padded(toWidth: titleWidth),
        turns[index].padded(toWidth: turnWidth), ages[index].padded(toWidth: ageWidth), all[index].id,
      ]
      return parts.joined(separator: String(repeating: " ", count: Self.gap))
    }
  }

  private static let gap = 2
  /// A shorter title says nothing.
  private static let minTitleWidth = 12
}

/// How long ago something was, in words.
enum Age {
  static func text(seconds: Int) -> String {
    switch seconds {
    case ..<60: "just now"
    case ..<3600: "\(seconds / 60) min ago"
    case ..<86_400: "\(seconds / 3600) h ago"
    case ..<172_800: "yesterday"
    case ..<1_209_600: "\(seconds / 86_400) days ago"
    case ..<5_184_000: "\(seconds / 604_800) weeks ago"
    default: "\(seconds / 2_592_000) months ago"
    }
  }
}
