// Parameters and results of the app-server's calls: translates between our types and Codex's JSON. Pure.

import Glibc

/// The bridge's values as JSON of the app-server, and the other way round.
enum CodexPayload {
  /// The parameters of `thread/start`.
  static func threadStart(_ request: TurnRequest, _ profile: TurnProfile) -> JSONValue {
    var params = common(request, profile)
    params["ephemeral"] = .bool(request.thread == .ephemeral)
    if profile.kind == .chat { ChatPayload.addStart(request, to: &params) }
    // Or nothing could be taken back. Ephemeral threads have no history on the disk.
    if request.thread != .ephemeral { params["historyMode"] = "paginated" }
    guard !request.tools.functions.isEmpty else { return .object(params) }
    params["dynamicTools"] = [dynamicTools(request.tools.functions)]
    params["experimentalRawEvents"] = true
    return .object(params)
  }

  /// The parameters of `thread/fork`: with all of a thread, or with what it had behind one of its turns. A fork takes neither
  /// model nor sandbox nor configuration from its thread.
  static func threadFork(
    _ thread: ThreadID, after turnID: String?, request: TurnRequest, profile: TurnProfile
  ) -> JSONValue {
    var params = common(request, profile)
    params["threadId"] = .string(thread.raw)
    params["lastTurnId"] = turnID.map { .string($0) }
    params["excludeTurns"] = true
    return .object(params)
  }

  /// The parameters of `thread/resume`. Codex does not store sandbox and configuration with a thread, so they are sent
  /// again. So are instructions: a stored thread has them only in its history, from which a summary would drop them.
  static func threadResume(
    _ thread: ThreadID, request: TurnRequest, profile: TurnProfile
  ) -> JSONValue {
    var params = common(request, profile)
    params["threadId"] = .string(thread.raw)
    params["excludeTurns"] = true
    if request.lastTurn != nil {
      params["initialTurnsPage"] = [
        "limit": .int(Self.lastTurns), "sortDirection": "desc", "itemsView": "notLoaded",
      ]
    }
    return .object(params)
  }

  /// How many of a thread's last turns are looked at when it is loaded. Those that nobody has noted are one or two.
  private static let lastTurns = 8

  /// The turn that follows another one in the thread that was loaded; nil if it is the last, or cannot be found.
  static func turn(after turnID: String, in resumed: JSONValue) -> String? {
    let page = resumed["initialTurnsPage"]?["data"]?.arrayValue ?? []
    let turns = page.compactMap { $0["id"]?.stringValue }
    guard let index = turns.firstIndex(of: turnID), index > 0 else { return nil }
    return turns[index - 1]
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
    if request.usesClientTools {
      config["tool_output_token_limit"] = .int(maxToolOutputTokens)
      // Models that write code instead of calls would see the functions only in their code, and a call would have an id that
      // its history does not know.
      config["features.code_mode.direct_only_tool_namespaces"] = [.string(ToolNames.namespace)]
    }
    params["config"] = .object(config)
    return params
  }

  /// Of what a function of the client returns: Codex would cut it at 10,000. Larger than any model's context.
  private static let maxToolOutputTokens = 1_000_000

  private static func dynamicTools(_ tools: [Conversation.Tool]) -> JSONValue {
    let functions = tools.map { tool -> JSONValue in
      [
        "type": "function", "name": .string(ToolNames.alias(of: tool.name)),
        "description": .string(tool.description),
        "inputSchema": tool.parameters,
      ]
    }
    return [
      "type": "namespace", "name": .string(ToolNames.namespace),
      "description": "Functions of the application that the user works with.", "tools": .array(functions),
    ]
  }

  /// `turn/steer`.
  static func turnSteer(_ parts: [Conversation.Part], _ thread: ThreadID, turnID: String) -> JSONValue {
    [
      "threadId": .string(thread.raw), "expectedTurnId": .string(turnID), "input": .array(parts.map(input)),
    ]
  }

  /// The result of `item/tool/call`.
  static func toolResult(_ output: Conversation.ToolOutput) -> JSONValue {
    guard output.parts.contains(where: \.isImage) else { return toolResult(output.text, isSuccess: true) }
    let contents = output.parts.map { part -> JSONValue in
      switch part {
      case .text(let text): ["type": "inputText", "text": .string(text)]
      case .image(let url, _): ["type": "inputImage", "imageUrl": .string(url)]
      }
    }
    return ["contentItems": .array(contents), "success": true]
  }

  static func toolResult(_ text: String, isSuccess: Bool) -> JSONValue {
    ["contentItems": [["type": "inputText", "text": .string(text)]], "success": .bool(isSuccess)]
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

  /// The parameters of `turn/start`; `summary` is that of the settings. A turn has the rights that its thread was started or resumed with.
  static func turnStart(
    _ request: TurnRequest, on thread: ThreadID, summary: ReasoningSummary, kind: ProfileKind = .agent
  ) -> JSONValue {
    var params = JSONObject()
    if kind == .chat { ChatPayload.addTurn(to: &params) }
    params["threadId"] = .string(thread.raw)
    params["input"] = .array(request.input.map(input))
    params["effort"] = request.effort.map { .string($0) }
    params["summary"] = .string((request.summary ?? summary).rawValue)
    params["outputSchema"] = request.outputSchema
    return .object(params)
  }

  private static func input(_ part: Conversation.Part) -> JSONValue {
    switch part {
    case .text(let text): ["type": "text", "text": .string(text)]
    case .image(let url, _): ["type": "image", "url": .string(url)]
    }
  }

  /// `thread/inject_items` with what stands before the turn's input.
  static func injectItems(_ request: TurnRequest, _ thread: ThreadID) -> JSONValue {
    let calls = request.tools.functions.isEmpty ? nil : ToolNames.namespace
    let base = RecordedItems(request.base, outputs: request.outputs).items
    let items = base + request.history.map { item($0, callNamespace: calls) } + recorded(request)
    return ["threadId": .string(thread.raw), "items": .array(items)]
  }

  /// The items of a turn that goes on, and what its calls have returned.
  static func recorded(_ request: TurnRequest) -> [JSONValue] {
    let recorded = RecordedItems(request.recorded, outputs: request.outputs)
    let outputs = request.outputs.filter { !recorded.outputIDs.contains($0.callID) }
    return recorded.items + outputs.map { item(.toolOutput($0)) } + request.instructionsAfter.map { item($0) }
  }

  /// An item of `thread/inject_items`, in the shape of the Responses API. Calls of functions that the thread has stand in
  /// their namespace, as those that the model makes.
  static func item(_ item: Conversation.Item, callNamespace: String? = nil) -> JSONValue {
    switch item {
    case .message(let message):
      let textType: JSONValue = message.role == .assistant ? "output_text" : "input_text"
      let content = contents(message.parts, textType)
      return ["type": "message", "role": name(of: message.role), "content": .array(content)]
    case .reasoning(let text):
      return ["type": "reasoning", "summary": [["type": "summary_text", "text": .string(text)]]]
    case .toolCall(let call):
      var object = JSONObject()
      object["type"] = "function_call"
      object["namespace"] = callNamespace.map { .string($0) }
      object["name"] = .string(ToolNames.alias(of: call.name))
      object["arguments"] = .string(call.arguments)
      object["call_id"] = .string(call.id)
      return .object(object)
    case .toolOutput(let output):
      let hasImages = output.parts.contains(where: \.isImage)
      return [
        "type": "function_call_output", "call_id": .string(output.callID),
        "output": hasImages ? .array(contents(output.parts, "input_text")) : .string(output.text),
      ]
    }
  }

  private static func contents(_ parts: [Conversation.Part], _ textType: JSONValue) -> [JSONValue] {
    parts.map { part in
      switch part {
      case .text(let text): ["type": textType, "text": .string(text)]
      case .image(let url, _): ["type": "input_image", "image_url": .string(url)]
      }
    }
  }

  private static func name(of role: Conversation.Role) -> JSONValue {
    switch role {
    case .developer: "developer"
    case .user: "user"
    case .assistant: "assistant"
    }
  }

  /// The result in a reply. A reply without a result throws.
  static func result(of reply: RPCReply) throws(EngineError) -> JSONValue {
    switch reply {
    case .result(let result): return result
    case .failure(let failure) where failure.code == RPCFailure.overloadedCode: throw .overloaded
    case .failure(let failure): throw .rejected(failure.message)
    case .timedOut: throw .unresponsive
    case .disconnected: throw .crashed
    }
  }

  /// Whether a refusal means that a thread does not exist (any more), or that its file can never be read.
  static func meansUnknownThread(_ message: String) -> Bool {
    let isUnreadable = unreadable.contains { message.contains($0) }
    return unknown.contains { message.contains($0) } || isUnreadable && !meansPassingTrouble(message)
  }

  /// Whether a refusal means that a thread does not have a turn (any more), or that it keeps none by their ids.
  static func meansUnknownTurn(_ message: String) -> Bool {
    ["turn not found", "in-progress turn", "only supports paginated"].contains { message.contains($0) }
  }

  private static let unknown = [
    "no rollout found", "thread not found", "invalid session id", "invalid thread id", "is archived",
    "missing source rollout",
  ]

  /// Codex's words for a thread's file that is empty, cut, overwritten, of another thread, or not readable for this user.
  /// Its words for trouble with its databases are others; that trouble concerns all threads and is no reason to give one
  /// up.
  private static let unreadable = ["failed to read session metadata", "belongs to thread"]

  /// Whether the message names an error of the operating system that may pass by itself.
  private static func meansPassingTrouble(_ message: String) -> Bool {
    [EINTR, EAGAIN, ENOMEM, EBUSY, ENFILE, EMFILE, ENOSPC, ETIMEDOUT, ESTALE]
      .contains { message.contains("(os error \($0))") }
  }

  /// Whether the refusal of an interrupt means that the turn does not run any more.
  static func meansTurnIsOver(_ message: String) -> Bool {
    ["no active turn to interrupt", "expected active turn id", "thread not found"].contains {
      message.contains($0)
    }
  }

  /// Whether a refusal says that a function of the client has a name or a schema that Codex does not take.
  static func meansInvalidTools(_ message: String) -> Bool { message.contains("dynamic tool") }

  /// Whether a refusal means that Codex's own configuration cannot be read.
  static func meansInvalidConfiguration(_ message: String) -> Bool {
    message.hasPrefix("failed to load configuration")
  }

  /// Whether a refusal means that a thread is still in use for a moment: another process holds it, or it is being unloaded.
  static func meansBusyThread(_ message: String) -> Bool {
    message.contains("already has an active writer") || message.contains("is closing")
  }

  /// The messages of user and assistant in a result of `thread/read`.
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
