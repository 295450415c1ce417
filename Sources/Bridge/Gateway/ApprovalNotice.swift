// What is told of a question to somebody who does not look at the bridge. Bounded: whoever decides reads the whole question on its
// card. There is no key in it and nothing that could answer the question.

/// The notice of one question.
struct ApprovalNotice: Sendable {
  /// Bytes of the question's lines together. With more, a line of curl's configuration (at most 100 KB, with each quote
  /// written as four bytes) could become too long; with less, more questions are cut.
  private static let maxTextBytes = 8192
  private static let maxLineBytes = 2048
  private static let maxSubjectBytes = 1000
  /// What ntfy shows as a message has 4096 bytes; a longer one becomes a file.
  private static let maxNtfyBytes = 3000
  private static let maxTitleBytes = 200

  let approval: Approval
  /// The id of the conversation; nil for one without.
  let session: String?
  /// Where the question can be read and answered.
  let link: String

  /// `base` is the bridge's address without a slash at its end.
  init(_ approval: Approval, session: String?, base: String) {
    self.approval = approval
    self.session = session
    link = "\(base)/#/approvals/\(approval.id)"
  }

  /// The body of the request, in the form of its receiver.
  func body(for form: HookTarget.Form) -> JSONValue {
    switch form {
    case .json: json
    case .ntfy(let topic): ntfy(topic)
    }
  }

  private var json: JSONValue {
    let question = approval.question
    let text = Self.cut(question.lines(), toBytes: Self.maxTextBytes)
    return [
      "object": "approval.asked",
      "id": .string(approval.id),
      "kind": .string(question.action.kind),
      "subject": .string(question.subject.shortened(toBytes: Self.maxSubjectBytes)),
      "lines": .array(text.lines.map { .string($0) }),
      "text": .string(text.lines.joined(separator: "\n")),
      "truncated": .bool(text.isCut),
      "session": .text(session),
      "request_id": .string(approval.requestID),
      "created": .int(approval.askedAt),
      "expires": .int(approval.expiresAt),
      "url": .string(link),
    ]
  }

  private func ntfy(_ topic: String) -> JSONValue {
    let question = approval.question
    let seconds = approval.expiresAt - approval.askedAt
    let text = Self.cut(Array(question.lines().dropFirst()), toBytes: Self.maxNtfyBytes)
    let rest = text.isCut ? ["(The card has the whole question.)"] : []
    return [
      "topic": .string(topic),
      "title": .string("Codex asks to \(question.request)".shortened(toBytes: Self.maxTitleBytes)),
      "message": .string(
        (text.lines + rest + ["Declined if nobody answers within \(seconds) s."]).joined(separator: "\n")),
      "priority": 4,
      "click": .string(link),
      "actions": [["action": "view", "label": "Open", "url": .string(link)]],
    ]
  }

  /// As many lines of the beginning as fit, each of them cut too.
  private static func cut(_ lines: [String], toBytes limit: Int) -> (lines: [String], isCut: Bool) {
    var (kept, bytes, isCut) = ([String](), 0, false)
    for line in lines {
      let short = line.shortened(toBytes: maxLineBytes)
      bytes += short.utf8.count + 1
      guard bytes <= limit else { return (kept, true) }
      if short.utf8.count != line.utf8.count { isCut = true }
      kept.append(short)
    }
    return (kept, isCut)
  }
}

/// What proves to the receiver of a body that whoever has the secret has sent it, and when.
struct HookSignature: Sendable, Equatable {
  static let timestampField = "x-bridge-timestamp"
  static let signatureField = "x-bridge-signature"

  /// Seconds since 1970.
  let timestamp: Int
  /// `v1=` and 64 digits: the HMAC-SHA-256 of the timestamp, a full stop and the body.
  let text: String

  init(of body: String, secret: String, at timestamp: Int) {
    self.timestamp = timestamp
    let signed = Array("\(timestamp).\(body)".utf8)
    text = "v1=" + SHA256Digest(authenticating: signed.span, with: Array(secret.utf8).span).hex
  }
}
