// Which requests a front end makes for itself, to name a chat or to propose what could be asked next. Pure.

/// Recognises the tasks of front ends.
struct BackgroundTasks: Sendable {
  /// How the templates of front ends begin that are sent without a mark. Open WebUI's begin with a heading that its template for
  /// retrieved documents has too; there it is the user who asks, so the line below it decides.
  private static let known = [
    // Open WebUI: title, tags, follow-ups, search queries, prompt of an image, completion of what is typed, summary of a long
    // conversation, emoji.
    "### Task:\nGenerate a concise", "### Task:\nGenerate 1-3 broad tags",
    "### Task:\nSuggest 3-5 relevant follow-up", "### Task:\nPredict 3-5 useful messages",
    "### Task:\nAnalyze the chat history to determine the necessity of generating search queries",
    "### Task:\nGenerate a detailed prompt for am image", "### Task:\nGenerate a detailed prompt for an image",
    "### Task:\nYou are an autocompletion system",
    "### Task:\nSummarize the conversation history that will be compacted",
    "Your task is to reflect the speaker's likely facial expression through a fitting emoji",
    // LibreChat: title.
    "Provide a concise, 5-word-or-less title for the conversation",
    "Analyze this conversation and provide:\n1. The detected language of the conversation",
    "Please generate a concise, 5-word-or-less title",
  ]

  /// Those, and further ones from the settings.
  private let openings: [[UInt8]]

  init(_ configuration: Configuration) {
    openings = (Self.known + configuration[Settings.taskOpenings]).map { Array($0.utf8) }
  }

  /// Whether an ask is a task by its words: one message of the user's and nothing else, answered whole.
  func isTask(_ ask: Ask) -> Bool {
    guard !ask.isStreamed, ask.conversation.items.count == 1,
      let message = ask.conversation.items.first?.message(of: .user), case .text(let text)? = message.parts.first
    else { return false }
    let bytes = text.utf8.span
    let start = bytes.indices.first { bytes[$0] != 0x20 && bytes[$0] != 0x0A && bytes[$0] != 0x0D } ?? bytes.count
    let said = bytes.extracting(start...)
    return openings.contains { $0.count <= said.count && said.extracting(..<$0.count).isEqual(to: $0.span) }
  }
}

extension Ask {
  /// The ask as a task: with nothing that could be called.
  var asTask: Ask {
    var task = self
    task.isTask = true
    task.effort = nil
    task.conversation.tools = Conversation.Tools()
    task.toolSet = ToolSet([])
    task.forcedCall = nil
    return task
  }
}
