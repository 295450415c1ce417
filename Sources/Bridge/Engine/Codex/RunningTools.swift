// The tools under way in a turn, from the items that the app-server tells of. Pure.

/// Commands, changes of files, searches and tools that have begun and not ended.
struct RunningTools: Sendable {
  private struct Tool: Sendable {
    /// Its place in the order in which they began, from 1.
    let number: Int
    let use: ToolUse
    /// What Codex has told of a change of files; nil for anything else.
    let fileChange: JSONValue?
  }

  private var tools: [String: Tool] = [:]
  private var count = 0
  /// Whether there were commands, which may go on in the background.
  private(set) var hasRunCommands = false

  var isEmpty: Bool { tools.isEmpty }

  /// The use that began last.
  var latest: ToolUse? { tools.values.max { $0.number < $1.number }?.use }

  /// The change of files under way with this id. What is asked about it names its item only.
  func fileChange(_ id: String) -> JSONValue? { tools[id]?.fileChange }

  /// Takes an item that begins. Nil if it is no use of a tool.
  mutating func began(_ id: String, _ type: String, _ item: JSONValue) -> ToolReport? {
    guard let use = ToolUse(type, item) else { return nil }
    count += 1
    let isFileChange = if case .fileChange = use { true } else { false }
    if case .command = use { hasRunCommands = true }
    tools[id] = Tool(number: count, use: use, fileChange: isFileChange ? item : nil)
    return ToolReport(number: count, use: use, progress: .began)
  }

  /// Takes an item that has ended. Nil if it has not begun here.
  mutating func ended(_ id: String, _ item: JSONValue) -> ToolReport? {
    guard let tool = tools.removeValue(forKey: id) else { return nil }
    return ToolReport(number: tool.number, use: tool.use, progress: .ended(ToolOutcome(item)))
  }
}

extension ToolUse {
  /// Of a longer command, name or query the beginning is kept: it may be megabytes.
  private static let maxTextBytes = 8 << 10
  /// Of more files the first are named.
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

  /// What the command line hands to the shell.
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
