// GET /v1/approvals and POST /v1/approvals/{id}: what Codex asks, answered by a person.

/// Answers approval requests.
@LoopActor
final class ApprovalsHandler {
  private let approvals: ApprovalDesk

  init(approvals: ApprovalDesk) { self.approvals = approvals }

  func list(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    writer.send(
      .json(["object": "list", "data": .array(approvals.pending(for: request.principal).map(Self.entry))]))
  }

  /// Body: `{"decision":"accept" | "accept_for_session" | "decline"}`.
  func decide(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let id = captures.first ?? ""
    do throws(APIError) {
      let decision = try await JSONBody.read(request) { body throws(APIError) in try Self.decision(body) }
      guard approvals.answer(id, decision, by: request.principal) else {
        throw APIError(
          status: 404,
          code: "approval_not_found",
          param: "id",
          message:
            "There is no open approval '\(id.clipped(toBytes: 100))'; it may have been answered, or its turn has ended.",
          mayRetry: false
        )
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

  static func entry(_ approval: Approval) -> JSONValue {
    [
      "id": .string(approval.id),
      "object": "approval",
      "kind": .string(approval.kind.rawValue),
      "subject": .string(approval.subject),
      "reason": .text(approval.reason),
      "cwd": .text(approval.workingDirectory),
      "thread_id": .string(approval.thread.raw),
      "request_id": .string(approval.requestID),
      "created": .int(approval.askedAt),
      "expires": .int(approval.expiresAt),
    ]
  }
}
