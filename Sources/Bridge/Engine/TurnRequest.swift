// What a turn is asked to do, independent of any API and of Codex's protocol.

/// Codex's id of a conversation.
struct ThreadID: Hashable, Sendable, CustomStringConvertible {
  let raw: String
  init(_ raw: String) { self.raw = raw }
  var description: String { raw }
}

/// A turn to run.
struct TurnRequest: Sendable {
  enum Thread: Sendable, Equatable {
    /// A new thread that is forgotten after this turn.
    case ephemeral
    /// A new thread that later turns can continue.
    case persistent
    case existing(ThreadID)
    /// A known thread as it was before one of its turns, by the engine's name of that.
    case reverted(ThreadID, before: String)
    /// A new thread with all that a known one had behind one of its turns. The known one stays as it is.
    case forked(ThreadID, after: String)

    /// The thread, where it is known.
    var id: ThreadID? {
      switch self {
      case .ephemeral, .persistent, .forked: nil
      case .existing(let id), .reverted(let id, _): id
      }
    }

    /// Whether the engine does not tell how much has been used of it so far.
    var isCut: Bool {
      switch self {
      case .ephemeral, .persistent, .existing: false
      case .reverted, .forked: true
      }
    }
  }

  var thread: Thread
  /// Whether what a thread loses by being taken back is kept as a thread of its own (`Turn.keptBranch`).
  var keepsBranch = false
  /// The last turn that is known of an existing thread. One that follows it there was begun by a process that ended before it
  /// could be noted, and has been answered to nobody: when the thread is loaded, it is taken back.
  var lastTurn: String?
  /// The developer's instructions. Codex takes them when a thread is made, and again when it is loaded.
  var instructions: String?
  /// Whether the thread was made or last loaded with other instructions than `instructions`.
  var changesInstructions = false
  /// Items that are put into the thread before the turn starts.
  var history: [Conversation.Item] = []
  /// All items of another thread, or what stays of a turn that is taken back, as the engine has told them, put into this one
  /// before `history`.
  var base: [String] = []
  /// Items of an earlier turn put into the thread after `history`, as the engine has told them (`TurnRecording`).
  var recorded: [String] = []
  /// What the functions called in `recorded` have returned.
  var outputs: [Conversation.ToolOutput] = []
  /// Messages of the developer that came with those outputs.
  var instructionsAfter: [Conversation.Item] = []
  /// The client's functions. A thread keeps those that it is made with.
  var tools = Conversation.Tools()
  /// The user's message; empty to run on the history as it is.
  var input: [Conversation.Part] = []
  /// Nil for Codex's own default.
  var model: String?
  /// The reasoning effort; nil for the model's default.
  var effort: String?
  /// Which summaries of its reasoning the model is asked for; nil for those of the settings.
  var summary: ReasoningSummary?
  /// The JSON schema that the answer must follow; nil for text.
  var outputSchema: JSONValue?

  /// The call that the answer is in the form of, by `outputSchema`.
  var forcedCall: ForcedCall?

  /// Whether functions of the client can be called, or were.
  var usesClientTools: Bool {
    !tools.functions.isEmpty || !outputs.isEmpty
      || history.contains { if case .toolOutput = $0 { true } else { false } }
  }

  /// Whether anything is put into the thread before the input.
  var hasItems: Bool { !base.isEmpty || !history.isEmpty || !recorded.isEmpty || !outputs.isEmpty }
}
