// Puts an approval into words, for the terminal, the note beside an answer, and the dashboard. Every text of the engine is
// escaped line by line, so that no name and no command can look like a line of its own or reverse the order of its letters.

extension Approval.Question {
  private static let indent = "    "

  /// What the engine wants to do. Completes the sentence "Codex asks to …".
  var request: String {
    switch action {
    case .command(let command):
      switch command.sandbox {
      case .outside: "run a command outside the sandbox"
      case .mayLeave: "run a command in the sandbox, and outside of it if the sandbox stops it"
      case .widened: "run a command in the sandbox with more rights"
      case .absent: "run a command (there is no sandbox)"
      case nil: "run a command"
      }
    case .terminalInput: "send input to a command that is running"
    case .fileChange(let changes):
      switch changes.files.count {
      case 0: "write files"
      case 1: "change a file"
      case let count: "change \(count) files"
      }
    case .network: "connect to a host on the network"
    case .permissions: "have more rights"
    case .mcpTool(let call): "use a tool of the MCP server “\(call.server.printable)”"
    case .mcpQuestion(let question): "answer yes to the MCP server “\(question.server.printable)”"
    }
  }

  /// The command, host, rights or message that is asked about, line by line. Empty for a change of files (see `files`).
  var body: [String] {
    switch action {
    case .command(let command), .terminalInput(let command):
      Self.lines(command.text)
    case .fileChange: []
    case .network(let destination): [destination.url.printable]
    case .permissions(let permissions): permissions.lines
    case .mcpTool(let question), .mcpQuestion(let question):
      [question.message.printable] + question.argumentLines
    }
  }

  /// The files that would change.
  var files: [Approval.FileChange] {
    if case .fileChange(let changes) = action { changes.files } else { [] }
  }

  /// Further facts that a person has to know, a short line each.
  var facts: [String] {
    var facts: [String] = []
    if let workingDirectory { facts.append("in \(workingDirectory.printable)") }
    switch action {
    case .command(let command), .terminalInput(let command):
      if let environment = command.environment { facts.append("in the environment \(environment.printable)") }
      facts += (command.permissions?.lines ?? []).map { "with the right to: \($0)" }
    case .fileChange(let changes):
      if let root = changes.grantRoot {
        facts.append("and to write everything below \(root.printable) from then on")
      }
    default: break
    }
    if let reason { facts.append("Reason: \(reason.printable)") }
    return facts
  }

  /// What `accept_for_session` allows besides this one action. Nil if that is nothing: then it has the effect of `accept`.
  var sessionScope: String? {
    guard action.canBeForSession else { return nil }
    return switch action {
    case .command: "the same command in the same directory"
    case .terminalInput, .mcpQuestion: nil
    case .fileChange: "every further change of these files"
    case .network: "every further connection to this host and port"
    case .permissions: "the same rights until the end of the conversation"
    case .mcpTool: "this tool with whatever arguments"
    }
  }

  /// What is asked about, in one line.
  var subject: String {
    switch action {
    case .command(let command), .terminalInput(let command): command.text.printable
    case .fileChange(let changes):
      files.isEmpty
        ? "everything below \((changes.grantRoot ?? "").printable)"
        : files.map(\.path.printable).joined(separator: ", ")
    default: body.joined(separator: "; ")
    }
  }

  /// The whole question, line by line. Diffs have at most `maxDiffLines` lines together; a note says how many are left out.
  func lines(verb: String = "asks", maxDiffLines: Int = 0) -> [String] {
    var lines = ["Codex \(verb) to \(request):"] + body.map { Self.indent + $0 }
    var room = maxDiffLines
    for file in files {
      lines.append(Self.indent + file.line)
      if maxDiffLines > 0 { lines += file.diffLines(&room).map { Self.indent + "  " + $0 } }
    }
    return lines + facts
  }

  /// Splits a text into lines, and escapes each.
  fileprivate static func lines(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { String($0).printable }
  }
}

extension Approval.FileChange {
  /// The file and what happens to it, in one line.
  var line: String {
    let target = newPath.map { ", moved to \($0.printable)" } ?? ""
    return "\(kind.rawValue) \(path.printable)\(target)"
  }

  /// The diff for people: added lines begin with a plus sign, removed ones with a minus sign.
  var shownDiff: [String] {
    let sign =
      switch kind {
      case .add: "+"
      case .delete: "-"
      case .update: ""
      }
    return Approval.Question.lines(diff).map { sign + $0 }
  }

  fileprivate func diffLines(_ room: inout Int) -> [String] {
    let all = shownDiff
    let shown = Array(all.prefix(room))
    room -= shown.count
    let hiddenLines = all.count - shown.count
    var notes: [String] = []
    if hiddenLines > 0 { notes.append("(\(hiddenLines) more lines are not shown)") }
    if hiddenDiffBytes > 0 { notes.append("(\(hiddenDiffBytes) more bytes are not shown)") }
    return shown + notes
  }
}

extension Approval.Destination {
  var url: String {
    let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    return "\(scheme)://\(name)" + (port.map { ":\($0)" } ?? "")
  }
}

extension Approval.Permissions {
  var lines: [String] {
    (network ? ["use the network"] : [])
      + files.map { access in
        switch access.mode {
        case .read: "read \(access.place.printable)"
        case .write: "write \(access.place.printable)"
        case .deny: "not to use \(access.place.printable)"
        }
      }
  }
}

extension Approval.ServerQuestion {
  /// The arguments of the tool, a line each.
  fileprivate var argumentLines: [String] {
    guard case .object(let object) = arguments ?? .null else {
      return arguments.map { $0.isNull ? [] : [$0.jsonText.printable] } ?? []
    }
    return object.members.map { "\($0.key.printable) = \($0.value.jsonText.printable)" }
  }
}
