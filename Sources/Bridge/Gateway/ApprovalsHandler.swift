// GET /v1/approvals, GET and POST /v1/approvals/{id}: a person reads and answers what Codex asks.

/// Answers requests about approvals. A key only sees the approvals of its own turns.
@LoopActor
final class ApprovalsHandler {
  private let approvals: ApprovalDesk

  init(approvals: ApprovalDesk) { self.approvals = approvals }

  func list(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    writer.send(
      .json(["object": "list", "data": .array(approvals.pending(for: request.principal).map(Self.entry))]))
  }

  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let id = captures.first ?? ""
    guard let approval = approvals.approval(id, for: request.principal) else {
      return writer.send(APIError.approvalNotFound(id).response)
    }
    writer.send(.json(Self.entry(approval)))
  }

  /// Body: `{"decision":"accept" | "accept_for_session" | "decline"}`.
  func decide(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let id = captures.first ?? ""
    do throws(APIError) {
      let decision = try await JSONBody.read(request) { body throws(APIError) in try Self.decision(body) }
      guard approvals.answer(id, decision, by: request.principal) else {
        throw APIError.approvalNotFound(id)
      }
      writer.send(
        .json(["id": .string(id), "object": "approval", "decision": .string(decision.rawValue)]))
    } catch {
      writer.send(error.response)
    }
  }

  private nonisolated static func decision(_ body: JSONValue) throws(APIError) -> Approval.Decision {
    let field = try FieldReader(body).required("decision")
    guard let decision = Approval.Decision(rawValue: try field.shortString()) else {
      throw .invalid(
        "Invalid value for 'decision': expected accept, accept_for_session or decline.", param: "decision")
    }
    return decision
  }

  /// The JSON of an approval. `subject`, `request`, `text`, `lines` and `facts` are for people, with control and format characters
  /// escaped. All other texts are exactly Codex's. A member that this kind of approval does not have is null.
  static func entry(_ approval: Approval) -> JSONValue {
    let question = approval.question
    var entry = JSONObject()
    entry["id"] = .string(approval.id)
    entry["object"] = "approval"
    entry["kind"] = .string(question.action.kind)
    entry["subject"] = .string(question.subject)
    entry["request"] = .string(question.request)
    entry["text"] = .string(question.body.joined(separator: "\n"))
    entry["lines"] = .array(question.lines().map { .string($0) })
    entry["facts"] = .array(question.facts.map { .string($0) })
    entry["reason"] = .text(question.reason)
    entry["cwd"] = .text(question.workingDirectory)
    for (key, value) in facts(question.action) { entry[key] = value }
    entry["session_scope"] = .text(question.sessionScope)
    entry["thread_id"] = .string(approval.thread.raw)
    entry["request_id"] = .string(approval.requestID)
    entry["created"] = .int(approval.askedAt)
    entry["expires"] = .int(approval.expiresAt)
    return .object(entry)
  }

  private static func facts(_ action: Approval.Action) -> [(String, JSONValue)] {
    var (command, network, changes): (Approval.Command?, Approval.Destination?, Approval.FileChanges?)
    var (permissions, question): (Approval.Permissions?, Approval.ServerQuestion?)
    switch action {
    case .command(let value), .terminalInput(let value): (command, permissions) = (value, value.permissions)
    case .fileChange(let value): changes = value
    case .network(let value): network = value
    case .permissions(let value): permissions = value
    case .mcpTool(let value), .mcpQuestion(let value): question = value
    }
    return [
      ("command", .text(command?.text)), ("shell", .text(command?.shell)),
      ("environment", .text(command?.environment)), ("sandbox", .text(command?.sandbox?.rawValue)),
      ("network", network.map(destination) ?? .null),
      ("permissions", permissions.map(Self.permissions) ?? .null),
      ("grant_root", .text(changes?.grantRoot)), ("files", .array((changes?.files ?? []).map(file))),
      ("mcp", question.map(serverQuestion) ?? .null),
    ]
  }

  private static func destination(_ destination: Approval.Destination) -> JSONValue {
    [
      "host": .string(destination.host), "protocol": .string(destination.scheme),
      "port": destination.port.map { .int($0) } ?? .null,
    ]
  }

  private static func permissions(_ permissions: Approval.Permissions) -> JSONValue {
    [
      "network": .bool(permissions.network),
      "files": .array(
        permissions.files.map { ["access": .string($0.mode.rawValue), "place": .string($0.place)] }),
    ]
  }

  private static func file(_ file: Approval.FileChange) -> JSONValue {
    [
      "path": .string(file.path), "kind": .string(file.kind.rawValue), "new_path": .text(file.newPath),
      "diff": .string(file.diff), "hidden_diff_bytes": .int(file.hiddenDiffBytes),
    ]
  }

  private static func serverQuestion(_ question: Approval.ServerQuestion) -> JSONValue {
    [
      "server": .string(question.server), "message": .string(question.message),
      "arguments": question.arguments ?? .null,
    ]
  }
}
