// The calls of the client's functions in one turn: which are known, which are handed out, which Codex waits for.
// Pure: facts in, actions out.

/// Decides when calls are handed out to the client, and when Codex is answered.
///
/// Codex tells the calls of a response of the model one by one as raw items, and then that the response is complete. Beside
/// that it asks for the output of one call at a time, in any order, maybe before the response is complete. A thread that was
/// loaded again tells no raw items: then what is asked for is all that is known, and calls are handed out one by one.
struct ClientCalls: Sendable {
  /// What is to be done.
  enum Action: Sendable, Equatable {
    /// The answer ends with these calls.
    case handOut([Conversation.ToolCall])
    /// Codex's request is answered with an output.
    case answer(request: JSONValue, Conversation.ToolOutput)
    /// Codex's request is answered with the news that the function cannot be called.
    case refuse(request: JSONValue, name: String)
  }

  /// A call whose output Codex waits for.
  private struct Asked: Sendable {
    let request: JSONValue
    let call: Conversation.ToolCall
  }

  private let names: ToolNames
  /// By Codex's names, which are short and plain.
  private var offered: Set<String>
  private var isParallel: Bool
  /// Whether the thread tells raw items.
  private var tellsItems = false
  /// Calls of the response under way.
  private var gathered: [Conversation.ToolCall] = []
  /// Their ids: a response may have thousands of calls.
  private var gatheredIDs: Set<String> = []
  /// Calls of a complete response that have not been handed out, because the client wants one at a time.
  private var heldBack: [Conversation.ToolCall] = []
  /// Calls that were handed out and have no output yet, by their ids.
  private var open: Set<String> = []
  /// Outputs that Codex has not asked for yet, by the ids of their calls.
  private var outputs: [String: Conversation.ToolOutput] = [:]
  private var asked: [Asked] = []
  /// Calls that the client has come back without.
  private var missing: Set<String> = []
  /// Whether the model's response is under way, so that more calls may follow.
  private var isResponding = false

  /// None is offered where the answer itself is to be a call.
  init(_ tools: Conversation.Tools, answerIsCall: Bool = false) {
    names = ToolNames(tools.functions.map(\.name))
    offered = answerIsCall || tools.offered.isEmpty ? [] : names.aliases
    isParallel = tools.isParallel
  }

  // MARK: Facts

  /// The model's response goes on.
  mutating func responding() {
    tellsItems = true
    isResponding = true
  }

  /// A raw item is a call in the client's namespace.
  mutating func called(_ item: JSONValue) {
    guard let call = call(item["call_id"], item["name"], arguments: item["arguments"]?.stringValue),
      isOffered(call), gatheredIDs.insert(call.id).inserted
    else { return }
    // Some models number their calls anew in each response.
    outputs[call.id] = nil
    missing.remove(call.id)
    gathered.append(call)
  }

  /// The model's response is complete.
  mutating func responded() -> [Action] {
    isResponding = false
    heldBack += gathered
    gathered = []
    gatheredIDs = []
    return handOut()
  }

  /// The response has not gone on for long while Codex waits for an output. It may have broken: Codex tells that only once it has
  /// the output. Calls that come after all are handed out later.
  mutating func responseIsSilent() -> [Action] { isResponding && !asked.isEmpty ? responded() : [] }

  /// Codex asks for the output of a call.
  mutating func asked(_ request: JSONValue, _ params: JSONValue) -> [Action] {
    guard let call = call(params["callId"], params["tool"], arguments: params["arguments"]?.jsonText) else {
      return [.refuse(request: request, name: "")]
    }
    if let output = outputs[call.id] {
      if !tellsItems { outputs[call.id] = nil }
      return [.answer(request: request, output)]
    }
    guard isOffered(call), !missing.contains(call.id) else {
      return [.refuse(request: request, name: call.name)]
    }
    asked.append(Asked(request: request, call: call))
    if !tellsItems, !open.contains(call.id) { heldBack.append(call) }
    return isResponding ? [] : handOut()
  }

  /// The client has returned something.
  mutating func returned(_ reply: ToolReply) -> [Action] {
    offered = ToolNames(reply.offered).aliases
    isParallel = reply.isParallel
    for output in reply.outputs where open.remove(output.callID) != nil { outputs[output.callID] = output }
    missing.formUnion(open)
    open = []
    let (known, unknown) = asked.partitioned { outputs[$0.call.id] != nil || missing.contains($0.call.id) }
    asked = unknown
    let answers = known.map { asked in
      outputs[asked.call.id].map { Action.answer(request: asked.request, $0) }
        ?? .refuse(request: asked.request, name: asked.call.name)
    }
    return answers + handOut()
  }

  // MARK: Actions

  /// Hands out what can be: not while the client runs others. One at a time, it is the one that Codex waits for.
  private mutating func handOut() -> [Action] {
    guard open.isEmpty, !heldBack.isEmpty else { return [] }
    var calls: [Conversation.ToolCall] = []
    if isParallel {
      swap(&calls, &heldBack)
    } else {
      let index = heldBack.firstIndex { call in asked.contains { $0.call.id == call.id } }
      guard let index else { return [] }
      calls = [heldBack.remove(at: index)]
    }
    open = Set(calls.map(\.id))
    return [.handOut(calls)]
  }

  private func isOffered(_ call: Conversation.ToolCall) -> Bool {
    offered.contains(ToolNames.alias(of: call.name))
  }

  private func call(_ id: JSONValue?, _ name: JSONValue?, arguments: String?) -> Conversation.ToolCall? {
    guard let id = id?.stringValue, let name = name?.stringValue else { return nil }
    return Conversation.ToolCall(id: id, name: names.original(name), arguments: arguments ?? "{}")
  }
}

extension Array {
  /// The elements for which something holds, and the others, each in their order.
  fileprivate func partitioned(_ holds: (Element) -> Bool) -> (holding: [Element], others: [Element]) {
    (filter(holds), filter { !holds($0) })
  }
}
