// The client's functions, carried from the app-server to the turn and their outputs back, and what the user says to a turn that
// runs. Which calls are open is known to the turn's `ClientCalls`.

/// Relays calls of the client's functions.
@LoopActor
final class ToolRelay {
  private let server: AppServer
  private let active: RunningTurns

  init(server: AppServer, active: RunningTurns) {
    self.server = server
    self.active = active
  }

  /// Takes a request of the app-server for the output of a call.
  func received(_ id: JSONValue, _ params: JSONValue, _ running: RunningTurn?, _ rpc: RPCConnection) {
    guard let running else { return Self.refuse(id, "", rpc) }
    perform(running.toolAsked(id, params), running, rpc)
  }

  /// Takes a raw item of the model's response, or one that Codex has added to the history.
  func receivedItem(_ params: JSONValue, _ running: RunningTurn) {
    running.received(rawItem: params["item"] ?? .null)
  }

  /// Looks at a running turn from time to time.
  func check(_ running: RunningTurn, at now: Duration) {
    guard let rpc = server.rpc else { return }
    perform(running.callsOfSilentResponse(at: now), running, rpc)
  }

  /// The model's response is complete.
  func responseCompleted(_ params: JSONValue, _ running: RunningTurn) {
    guard let rpc = server.rpc else { return }
    perform(running.responseCompleted(TokenUsage(params["usage"])), running, rpc)
  }

  /// Gives a turn what its client has returned. What the user says besides comes first: it reaches the model together with
  /// the outputs then.
  func resume(_ running: RunningTurn, with reply: ToolReply) {
    guard let rpc = server.rpc else { return }
    guard !reply.input.isEmpty else { return goOn(running, with: reply, rpc) }
    let params = CodexPayload.turnSteer(reply.input, running.thread, turnID: running.turnID ?? "")
    rpc.call(Method.turnSteer, params) { [weak running] answer in
      guard let running else { return }
      guard case .failure(let failure) = answer else { return self.goOn(running, with: reply, rpc) }
      Log.warning(
        "Codex did not take what the user says beside the outputs of functions; it is put behind the last output",
        ["thread": running.thread, "reason": failure.message])
      self.goOn(running, with: reply.withInputInOutputs, rpc)
    }
  }

  /// Tells a running turn what the user says meanwhile.
  func steer(
    _ running: RunningTurn, with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void
  ) {
    guard let rpc = server.rpc, running.canBeSteered else { return then(.refused) }
    let params = CodexPayload.turnSteer(parts, running.thread, turnID: running.turnID ?? "")
    rpc.call(Method.turnSteer, params) { [weak running] answer in
      guard case .result = answer, let running else {
        if case .failure(let failure) = answer {
          Log.info("Codex did not take a message for a running turn", ["reason": failure.message])
        }
        return then(.refused)
      }
      then(.taken(running.handOver()))
    }
  }

  private func goOn(_ running: RunningTurn, with reply: ToolReply, _ rpc: RPCConnection) {
    if running.isParked, active[running.turn] === running { active.resumed() }
    perform(running.returned(reply), running, rpc)
  }

  private func perform(_ actions: [ClientCalls.Action], _ running: RunningTurn, _ rpc: RPCConnection) {
    for action in actions {
      switch action {
      case .handOut(let calls):
        if !running.isParked { active.parked() }
        running.handOut(calls)
      case .answer(let request, let output): rpc.answer(request, result: CodexPayload.toolResult(output))
      case .refuse(let request, let name): Self.refuse(request, name, rpc)
      }
    }
  }

  private static func refuse(_ request: JSONValue, _ name: String, _ rpc: RPCConnection) {
    let text = "The function \(name) cannot be called now."
    rpc.answer(request, result: CodexPayload.toolResult(text, isSuccess: false))
  }
}
