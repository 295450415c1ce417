// Reads the approval requests of the app-server into `Approval.Question`. Pure. A request that cannot be shown whole is
// refused, because nobody may be made to approve more than is shown.

/// Why a request cannot be shown to a person. The text completes the sentence "Codex asked to …".
struct Unshowable: Error, Equatable {
  let what: String
}

/// Reads each kind of approval request.
enum ApprovalReader {
  enum Limit {
    /// A longer command, or longer arguments of a tool, are declined: nobody would read them to the end.
    static let textBytes = 16 << 10
    /// A change of more files is declined: nobody would read the whole list.
    static let files = 100
    /// The longest path of Linux (PATH_MAX).
    static let pathBytes = 4096
    /// A change whose file names are longer than this together is declined: nobody would read them all.
    static let nameBytes = 32 << 10
    /// Diffs of one change are cut to this many bytes together, and how much is missing is shown. They stay in memory until
    /// the question is answered.
    static let diffBytes = 64 << 10
    /// The reason is cut to this: it is the model's explanation and does not define what is approved.
    static let reasonBytes = 1000
  }

  // MARK: Commands and the network

  /// Reads the parameters of `item/commandExecution/requestApproval`.
  static func command(
    _ params: JSONValue, _ profile: TurnProfile
  ) throws(Unshowable) -> Approval.Question {
    let action: Approval.Action
    if let context = params["networkApprovalContext"], !context.isNull {
      action = .network(try destination(context, params))
    } else {
      let command = try commandLine(params, profile)
      switch params["kind"]?.stringValue ?? "command" {
      case "command": action = .command(command)
      case "writeStdin": action = .terminalInput(command)
      default: throw Unshowable(what: "do something of a kind that this bridge does not know")
      }
    }
    return question(action, params, workingDirectory: try path(params["cwd"], of: "a directory"))
  }

  private static func commandLine(
    _ params: JSONValue, _ profile: TurnProfile
  ) throws(Unshowable) -> Approval.Command {
    guard let line = params["command"]?.stringValue, !line.isEmpty else {
      throw Unshowable(what: "run a command that it does not tell")
    }
    guard line.utf8.count <= Limit.textBytes else {
      throw Unshowable(
        what: "run a command of \(line.utf8.count) bytes, too long to be shown: \(beginning(of: line))")
    }
    let shell = ShellCommand(line)
    let environment = params["environmentId"]?.stringValue
    var command = Approval.Command(text: shell?.script ?? line, shell: shell?.shell)
    command.environment = environment == "local" ? nil : environment
    if let extra = params["additionalPermissions"], !extra.isNull { command.permissions = try permissions(extra) }
    if params["kind"]?.stringValue != "writeStdin" {
      command.sandbox = sandbox(hasReason: params["reason"]?.stringValue != nil, command, profile)
    }
    return command
  }

  /// The request does not say whether the command leaves the sandbox, so a command that is not known to stay inside
  /// counts as outside. Under `untrusted` Codex asks about every command, and gives a reason only for those that start
  /// outside.
  private static func sandbox(
    hasReason: Bool, _ command: Approval.Command, _ profile: TurnProfile
  ) -> Approval.Sandbox {
    if profile.sandbox == .dangerFullAccess { return .absent }
    if command.permissions != nil { return .widened }
    return profile.approvals == .untrusted && !hasReason ? .mayLeave : .outside
  }

  private static func destination(
    _ context: JSONValue, _ params: JSONValue
  ) throws(Unshowable) -> Approval.Destination {
    guard let host = context["host"]?.stringValue, let scheme = context["protocol"]?.stringValue, !host.isEmpty,
      host.utf8.count <= 256, ["http", "https", "socks5Tcp", "socks5Udp"].contains(scheme)
    else { throw Unshowable(what: "connect to a host that it does not tell") }
    return Approval.Destination(host: host, scheme: scheme, port: port(host: host, params["itemId"]?.stringValue))
  }

  /// The request names the port only inside the id of its item: `network#SCHEME#HOST#PORT`.
  private static func port(host: String, _ itemID: String?) -> Int? {
    let parts = (itemID ?? "").split(separator: "#", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "network", parts[2] == host.lowercased() else { return nil }
    return UInt16(parts[3]).map { Int($0) }
  }

  // MARK: Files

  /// Reads the changes of a `fileChange` item.
  static func fileChanges(_ item: JSONValue) throws(Unshowable) -> [Approval.FileChange] {
    let changes = item["changes"]?.arrayValue ?? []
    guard changes.count <= Limit.files else {
      throw Unshowable(what: "change \(changes.count) files, too many to be shown")
    }
    var (nameRoom, diffRoom) = (Limit.nameBytes, Limit.diffBytes)
    var files: [Approval.FileChange] = []
    for change in changes {
      guard let path = try path(change["path"], of: "a file"),
        let kind = (change["kind"]?["type"]?.stringValue).flatMap(Approval.FileChange.Kind.init)
      else { throw Unshowable(what: "change a file in a way that it does not tell") }
      let newPath = try Self.path(change["kind"]?["move_path"], of: "a file")
      nameRoom -= path.utf8.count + (newPath?.utf8.count ?? 0)
      guard nameRoom >= 0 else { throw Unshowable(what: "change files whose names are too long to be shown") }
      let diff = change["diff"]?.stringValue ?? ""
      let kept = String(diff.beginning(ofBytes: diffRoom))
      diffRoom -= kept.utf8.count
      files.append(
        Approval.FileChange(
          path: path, kind: kind, newPath: newPath, diff: kept,
          hiddenDiffBytes: diff.utf8.count - kept.utf8.count))
    }
    return files
  }

  /// Reads the parameters of `item/fileChange/requestApproval`. What would change stands in the `item` that they name,
  /// which Codex sent before.
  static func fileChange(_ params: JSONValue, item: JSONValue?) throws(Unshowable) -> Approval.Question {
    let root = try path(params["grantRoot"], of: "a directory")
    let files = try item.map(fileChanges) ?? []
    guard !files.isEmpty || root != nil else { throw Unshowable(what: "change files that it does not tell") }
    return question(
      .fileChange(Approval.FileChanges(files: files, grantRoot: root)), params, workingDirectory: nil)
  }

  // MARK: Permissions

  /// Reads the parameters of `item/permissions/requestApproval`.
  static func permissions(of params: JSONValue) throws(Unshowable) -> Approval.Question {
    let asked = try permissions(params["permissions"] ?? .null)
    let directory = try path(params["cwd"], of: "a directory")
    return question(.permissions(asked), params, workingDirectory: directory)
  }

  /// Refuses permissions with an unknown member: it could grant something that is not shown.
  private static func permissions(_ value: JSONValue) throws(Unshowable) -> Approval.Permissions {
    try checkMembers(of: value, known: ["network", "fileSystem"])
    let network = value["network"] ?? .null
    let fileSystem = value["fileSystem"] ?? .null
    try checkMembers(of: network, known: ["enabled"])
    try checkMembers(of: fileSystem, known: ["read", "write", "entries", "globScanMaxDepth"])
    var files: [Approval.Permissions.Access] = []
    for entry in try array(fileSystem["entries"]) { files.append(try access(entry)) }
    // Codex lists the same files in two older forms besides `entries`.
    for (mode, member) in [(Approval.Permissions.Mode.read, "read"), (.write, "write")] {
      for place in try array(fileSystem[member]) {
        guard let path = try path(place, of: "a file") else { throw unknownPermissions }
        let access = Approval.Permissions.Access(mode: mode, place: path)
        if !files.contains(access) { files.append(access) }
      }
    }
    let isNetworkAsked = network["enabled"]?.boolValue ?? false
    guard isNetworkAsked || !files.isEmpty, files.count <= Limit.files else { throw unknownPermissions }
    return Approval.Permissions(network: isNetworkAsked, files: files)
  }

  private static let unknownPermissions = Unshowable(what: "have rights that cannot be shown whole")

  private static func checkMembers(of value: JSONValue, known: Set<String>) throws(Unshowable) {
    guard value.isNull || value.objectValue != nil else { throw unknownPermissions }
    for member in value.objectValue?.members ?? [] where !member.value.isNull && !known.contains(member.key) {
      throw unknownPermissions
    }
  }

  private static func array(_ value: JSONValue?) throws(Unshowable) -> [JSONValue] {
    guard let value, !value.isNull else { return [] }
    guard let array = value.arrayValue else { throw unknownPermissions }
    return array
  }

  private static func access(_ entry: JSONValue) throws(Unshowable) -> Approval.Permissions.Access {
    let target = entry["path"] ?? .null
    var place: String?
    switch target["type"]?.stringValue {
    case "path": place = try path(target["path"], of: "a file")
    case "glob_pattern":
      place = try path(target["pattern"], of: "a file").map { "whatever matches \($0)" }
    case "special": place = try specialPlace(target["value"] ?? .null)
    default: break
    }
    guard let mode = (entry["access"]?.stringValue).flatMap(Approval.Permissions.Mode.init), let place else {
      throw unknownPermissions
    }
    return Approval.Permissions.Access(mode: mode, place: place)
  }

  private static func specialPlace(_ value: JSONValue) throws(Unshowable) -> String? {
    let below = try path(value["subpath"], of: "a directory").map { ", below \($0)" } ?? ""
    switch value["kind"]?.stringValue {
    case "root": return "all files of the machine"
    case "project_roots": return "the directories of the project\(below)"
    case "tmpdir": return "the directory for temporary files"
    case "slash_tmp": return "/tmp"
    default: return nil
    }
  }

  // MARK: MCP servers

  /// Reads the parameters of `mcpServer/elicitation/request`.
  static func elicitation(_ params: JSONValue) throws(Unshowable) -> Approval.Question {
    guard let server = params["serverName"]?.stringValue, let message = params["message"]?.stringValue,
      server.utf8.count <= 256
    else { throw Unshowable(what: "answer a question of an MCP server that it does not tell") }
    let told = "the MCP server “\(server.printable)” (\(beginning(of: message)))"
    // A form without fields is a question that can be answered with yes or no.
    guard params["mode"]?.stringValue == "form",
      params["requestedSchema"]?["properties"]?.objectValue?.members.isEmpty == true
    else { throw Unshowable(what: "give input to \(told), which is not possible here") }
    var question = Approval.ServerQuestion(server: server, message: message)
    let meta = params["_meta"] ?? .null
    let kind = meta["codex_approval_kind"]
    guard kind == nil || kind == .null || kind == "mcp_tool_call" else {
      throw Unshowable(what: "let \(told) do something of a kind that this bridge does not know")
    }
    let isTool = kind == "mcp_tool_call"
    if isTool {
      question.arguments = meta["tool_params"]
      let persist = meta["persist"] ?? .null
      question.canBeRemembered = persist == "session" || persist.arrayValue?.contains("session") == true
    }
    guard message.utf8.count + (question.arguments?.jsonBytes.count ?? 0) <= Limit.textBytes else {
      throw Unshowable(what: "use \(told) with more than can be shown")
    }
    return self.question(isTool ? .mcpTool(question) : .mcpQuestion(question), params, workingDirectory: nil)
  }

  /// Why the questions of `item/tool/requestUserInput` are declined: they need an answer in words.
  static func userInput(_ params: JSONValue) -> Unshowable {
    let questions = (params["questions"]?.arrayValue ?? []).compactMap { $0["question"]?.stringValue }
    let told = beginning(of: questions.joined(separator: " "))
    return Unshowable(what: "have a question answered, which only your next message can do: \(told)")
  }

  // MARK: Parts

  private static func question(
    _ action: Approval.Action, _ params: JSONValue, workingDirectory: String?
  ) -> Approval.Question {
    Approval.Question(
      action: action, reason: params["reason"]?.stringValue?.shortened(toBytes: Limit.reasonBytes),
      workingDirectory: workingDirectory)
  }

  /// Reads a path; nil if there is none. `what` names its kind in the refusal of a path that cannot be shown.
  private static func path(_ value: JSONValue?, of what: String) throws(Unshowable) -> String? {
    guard let value, !value.isNull else { return nil }
    guard let path = value.stringValue, path.utf8.count <= Limit.pathBytes else {
      throw Unshowable(what: "use \(what) whose name cannot be shown")
    }
    return path
  }

  /// The beginning of a text, long enough for a note that says what was declined.
  private static func beginning(of text: String) -> String { text.shortened(toBytes: 200).printable }
}
