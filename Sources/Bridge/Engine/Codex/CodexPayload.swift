// Parameters and results of the app-server's calls: our values to its JSON and back. Pure.

import Glibc

enum CodexPayload {
  /// `thread/start`.
  static func threadStart(_ request: TurnRequest, _ profile: TurnProfile) -> JSONValue {
    var params = common(request, profile)
    params["ephemeral"] = .bool(request.thread == .ephemeral)
    if profile.kind == .chat { ChatPayload.addStart(request, to: &params) }
    return .object(params)
  }

  /// `thread/resume`. Sandbox and configuration are not kept with a thread and must be said again; instructions are kept in
  /// its history only, from which Codex drops them when it summarises it.
  static func threadResume(
    _ thread: ThreadID,
    _ request: TurnRequest,
    _ profile: TurnProfile
  ) -> JSONValue {
    var params = common(request, profile)
    params["threadId"] = .string(thread.raw)
    params["excludeTurns"] = true
    return .object(params)
  }

  private static func common(_ request: TurnRequest, _ profile: TurnProfile) -> JSONObject {
    var params = JSONObject()
    params["cwd"] = .string(profile.workingDirectory)
    params["sandbox"] = .string(name(of: profile.sandbox))
    params["approvalPolicy"] = .string(name(of: profile.approvals))
    params["model"] = request.model.map { .string($0) }
    let instructions = profile.kind == .chat ? ChatPayload.instructions : "developerInstructions"
    params[instructions] = request.instructions.map { .string($0) }
    var config = profile.kind == .chat ? ChatPayload.config : JSONObject()
    config["web_search"] = .string(profile.webSearch ? "live" : "disabled")
    if profile.sandbox == .workspaceWrite {
      config["sandbox_workspace_write.network_access"] = .bool(profile.networkAccess)
    }
    config["tool_output_token_limit"] = profile.toolOutputTokens.map { .int($0) }
    params["config"] = .object(config)
    return params
  }

  private static func name(of sandbox: SandboxMode) -> String {
    switch sandbox {
    case .readOnly: "read-only"
    case .workspaceWrite: "workspace-write"
    case .dangerFullAccess: "danger-full-access"
    }
  }

  private static func name(of policy: ApprovalPolicy) -> String {
    switch policy {
    case .never: "never"
    case .onRequest: "on-request"
    case .untrusted: "untrusted"
    }
  }

  /// `turn/start`. The rights of the turn are those that its thread was started or resumed with.
  static func turnStart(
    _ request: TurnRequest, _ thread: ThreadID, _ summary: ReasoningSummary, kind: ProfileKind = .agent
  ) -> JSONValue {
    var params = JSONObject()
    if kind == .chat { ChatPayload.addTurn(to: &params) }
    params["threadId"] = .string(thread.raw)
    params["input"] = .array(request.input.map(input))
    params["effort"] = request.effort.map { .string($0) }
    params["summary"] = .string(summary.rawValue)
    params["outputSchema"] = request.outputSchema
    return .object(params)
  }

  private static func input(_ part: Conversation.Part) -> JSONValue {
    switch part {
    case .text(let text): ["type": "text", "text": .string(text)]
    case .image(let url, _): ["type": "image", "url": .string(url)]
    }
  }

  /// `thread/inject_items`.
  static func injectItems(_ items: [Conversation.Item], _ thread: ThreadID) -> JSONValue {
    ["threadId": .string(thread.raw), "items": .array(items.map(item))]
  }

  /// An item of `thread/inject_items`, in the shape of the Responses API.
  static func item(_ item: Conversation.Item) -> JSONValue {
    switch item {
    case .message(let message):
      let textType: JSONValue = message.role == .assistant ? "output_text" : "input_text"
      let content = message.parts.map { part -> JSONValue in
        switch part {
        case .text(let text): ["type": textType, "text": .string(text)]
        case .image(let url, _): ["type": "input_image", "image_url": .string(url)]
        }
      }
      return ["type": "message", "role": name(of: message.role), "content": .array(content)]
    case .reasoning(let text):
      return ["type": "reasoning", "summary": [["type": "summary_text", "text": .string(text)]]]
    case .toolCall(let call):
      return [
        "type": "function_call", "name": .string(call.name), "arguments": .string(call.arguments),
        "call_id": .string(call.id),
      ]
    case .toolOutput(let output):
      return [
        "type": "function_call_output", "call_id": .string(output.callID), "output": .string(output.text),
      ]
    }
  }

  private static func name(of role: Conversation.Role) -> JSONValue {
    switch role {
    case .developer: "developer"
    case .user: "user"
    case .assistant: "assistant"
    }
  }

  /// The result of a call, or why there is none.
  static func result(of reply: RPCReply) throws(EngineError) -> JSONValue {
    switch reply {
    case .result(let result): return result
    case .failure(let failure) where failure.code == RPCFailure.overloadedCode: throw .overloaded
    case .failure(let failure): throw .rejected(failure.message)
    case .timedOut: throw .unresponsive
    case .disconnected: throw .crashed
    }
  }

  /// Whether a refusal says that a thread does not exist (any more), or cannot be read and never will.
  static func meansUnknownThread(_ message: String) -> Bool {
    let isUnreadable = unreadable.contains { message.contains($0) }
    return unknown.contains { message.contains($0) } || isUnreadable && !meansPassingTrouble(message)
  }

  private static let unknown = [
    "no rollout found", "thread not found", "invalid session id", "invalid thread id", "is archived",
    "missing source rollout",
  ]

  /// What Codex says of a thread's file that is empty, cut, overwritten, another thread's or not ours to read. Trouble
  /// with its databases sounds different; that concerns all threads and is no reason to give up any.
  private static let unreadable = ["failed to read session metadata", "belongs to thread"]

  /// Whether the reason is an error of the system that passes by itself (errno-base.h, errno.h): interrupted, again, no
  /// memory, busy, too many open files, no space, timed out, stale.
  private static func meansPassingTrouble(_ message: String) -> Bool {
    [EINTR, EAGAIN, ENOMEM, EBUSY, ENFILE, EMFILE, ENOSPC, ETIMEDOUT, ESTALE]
      .contains { message.contains("(os error \($0))") }
  }

  /// Whether the refusal of an interrupt says that the turn does not run any more.
  static func meansTurnIsOver(_ message: String) -> Bool {
    ["no active turn to interrupt", "expected active turn id", "thread not found"].contains {
      message.contains($0)
    }
  }

  /// Whether a refusal says that Codex's own configuration cannot be read.
  static func meansInvalidConfiguration(_ message: String) -> Bool {
    message.hasPrefix("failed to load configuration")
  }

  /// Whether a refusal says that a thread is in use for a moment longer: by a process that is going away, or because
  /// it is just being unloaded.
  static func meansBusyThread(_ message: String) -> Bool {
    message.contains("already has an active writer") || message.contains("is closing")
  }

  /// User and assistant messages of a `thread/read` result.
  static func history(_ result: JSONValue) -> [Conversation.Item] {
    let turns = result["thread"]?["turns"]?.arrayValue ?? []
    return turns.flatMap { $0["items"]?.arrayValue ?? [] }.compactMap { item in
      switch item["type"]?.stringValue {
      case "userMessage":
        let parts = (item["content"]?.arrayValue ?? []).compactMap { part -> Conversation.Part? in
          if let text = part["text"]?.stringValue { return .text(text) }
          return part["url"]?.stringValue.map { .image($0) }
        }
        return parts.isEmpty ? nil : .message(.user, parts)
      case "agentMessage":
        guard let text = item["text"]?.stringValue, !text.isEmpty else { return nil }
        return .message(.assistant, [.text(text)])
      default: return nil
      }
    }
  }
}
