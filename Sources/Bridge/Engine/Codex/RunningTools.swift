// The tools that are running in a turn, read from Codex's items. Pure.

/// Commands, changes of files, searches and tool calls that have begun and not ended.
struct RunningTools: Sendable {
  private struct Tool: Sendable {
    /// Which use of the turn this is, in the order in which they began, from 1.
    let number: Int
    let use: ToolUse
    /// Codex's item, if this is a change of files.
    let fileChange: JSONValue?
  }

  private var tools: [String: Tool] = [:]
  private var count = 0
  /// Whether the turn has run commands. Their processes may go on in the background.
  private(set) var hasRunCommands = false
  /// Whether it has run commands or changed files.
  private(set) var hasEffects = false

  var isEmpty: Bool { tools.isEmpty }

  /// The use that began last.
  var latest: ToolUse? { tools.values.max { $0.number < $1.number }?.use }

  /// Codex's item of a change of files under way. An approval request about the change only names the item's id.
  func fileChange(_ id: String) -> JSONValue? { tools[id]?.fileChange }

  /// Records an item that begins. Returns nil if it is no use of a tool.
  mutating func began(_ id: String, type: String, item: JSONValue) -> ToolReport? {
    guard let use = ToolUse(type, item) else { return nil }
    count += 1
    let isFileChange = if case .fileChange = use { true } else { false }
    if case .command = use { hasRunCommands = true }
    if hasRunCommands || isFileChange { hasEffects = true }
    tools[id] = Tool(number: count, use: use, fileChange: isFileChange ? item : nil)
    return ToolReport(number: count, use: use, progress: .began)
  }

  /// Records that an item has ended. Returns nil if it is no tool that is running.
  mutating func ended(_ id: String, _ item: JSONValue) -> ToolReport? {
    guard let tool = tools.removeValue(forKey: id) else { return nil }
    return ToolReport(number: tool.number, use: tool.use, progress: .ended(ToolOutcome(item)))
  }
}

extension ToolUse {
  /// A longer command, name or query is cut to this, because it may be megabytes.
  private static let maxTextBytes = 8 << 10
  /// If more files are changed, only this many are named.
  private static let maxFiles = 100

  /// Nil for items of other kinds.
  fileprivate init?(_ type: String, _ item: JSONValue) {
    switch type {
    case "commandExecution": self = .command(item["command"]?.stringValue.map(Self.script))
    case "fileChange":
      let paths = (item["changes"]?.arrayValue ?? []).compactMap { $0["path"]?.stringValue }
      self = .fileChange(paths: Array(paths.prefix(Self.maxFiles)), count: paths.count)
    case "webSearch": self = .webSearch(query: Self.beginning(item["query"]))
    case "mcpToolCall": self = .tool(Self.beginning(item["tool"]), server: item["server"]?.stringValue)
    // What the client runs, it knows.
    case "dynamicToolCall" where item["namespace"]?.stringValue == ToolNames.namespace: return nil
    case "dynamicToolCall": self = .tool(Self.beginning(item["tool"]), server: nil)
    default: return nil
    }
  }

  private static func beginning(_ text: JSONValue?) -> String {
    (text?.stringValue ?? "").shortened(toBytes: maxTextBytes)
  }

  /// The script that the command line gives to a known shell, else the whole line.
  private static func script(_ line: String) -> String {
    guard line.utf8.count <= maxTextBytes else { return line.shortened(toBytes: maxTextBytes) }
    return ShellCommand(line)?.script ?? line
  }
}

extension ToolOutcome {
  fileprivate init(_ item: JSONValue) {
    switch item["status"]?.stringValue {
    case "declined": self = .declined
    case let status:
      self = item["exitCode"]?.intValue.map { .exited($0) } ?? (status == "failed" ? .failed : .done)
    }
  }
}
