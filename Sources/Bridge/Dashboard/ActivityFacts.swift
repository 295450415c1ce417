// What the page is told of requests and of the programs that send them, as JSON of bounded size. Pure but for the answers under
// way, which are asked what they do.

/// The JSON of a request log.
@LoopActor
enum ActivityFacts {
  private static let maxNameCharacters = 256
  private static let maxLineCharacters = 400
  /// The largest length of one step: what was done stands at its beginning.
  private static let maxStepCharacters = 160

  /// A request. A member that is not known, or not yet, is null.
  static func request(_ entry: RequestLog.Entry) -> JSONValue {
    let asked = entry.asked
    var object = JSONObject()
    object["request_id"] = .string(asked.requestID)
    object["state"] = "waiting"
    object["session"] = .text(asked.session?.name?.shortened(to: maxNameCharacters))
    object["profile"] = .string(asked.profile.rawValue)
    object["model"] = .text(asked.model?.shortened(to: maxNameCharacters))
    object["client"] = .text(asked.client)
    object["api"] = .string(asked.api)
    object["started"] = .int(asked.at)
    for name in ["ended", "first_text_ms", "duration_ms", "tokens", "doing", "detail", "error"] {
      object[name] = .null
    }
    object["steps"] = .array([])
    object["step_count"] = .int(0)
    switch entry.stage {
    case .waiting: break
    case .running(let answer): add(answer, to: &object)
    case .ended(let end): add(end, to: &object)
    }
    return .object(object)
  }

  private static func add(_ answer: Answer, to object: inout JSONObject) {
    let (doing, detail) = words(answer.turn.progress?.activity)
    object["state"] = "running"
    object["session"] = .text(answer.session?.name?.shortened(to: maxNameCharacters))
    object["model"] = .string(answer.identity.model.shortened(to: maxNameCharacters))
    object["first_text_ms"] = milliseconds(answer.firstText)
    object["doing"] = .string(doing)
    object["detail"] = .text(detail)
    add(answer.turn.steps, to: &object)
  }

  private static func add(_ end: RequestLog.End, to object: inout JSONObject) {
    object["state"] = .string(end.state.rawValue)
    object["ended"] = .int(end.at)
    object["duration_ms"] = milliseconds(end.duration)
    object["first_text_ms"] = milliseconds(end.firstText)
    if let model = end.model { object["model"] = .string(model.shortened(to: maxNameCharacters)) }
    if let usage = end.usage {
      object["tokens"] = [
        "input": .int(usage.input), "cached": .int(usage.cachedInput), "output": .int(usage.output),
        "reasoning": .int(usage.reasoningOutput),
      ]
    }
    if let failure = end.failure {
      object["error"] = ["code": .string(failure.code), "message": .string(failure.message)]
    }
    add(end.steps, to: &object)
  }

  private static func add(_ steps: TurnSteps, to object: inout JSONObject) {
    object["steps"] = .array(steps.kept.map(step))
    object["step_count"] = .int(steps.count)
  }

  /// What was done, in the members that `ActivityItem` has.
  private static func step(_ step: TurnSteps.Step) -> JSONValue {
    let (status, exitCode) = ActivityItem.ending(step.outcome)
    return [
      "text": .string(ActivityText.line(step.use).shortened(to: maxStepCharacters)),
      "status": .string(status.rawValue), "exit_code": exitCode.map { .int($0) } ?? .null,
    ]
  }

  private static func milliseconds(_ duration: Duration?) -> JSONValue {
    duration.map { .int(Int(clamping: $0.wholeMilliseconds)) } ?? .null
  }

  /// What a turn does, in a word, and what that is about.
  static func words(_ activity: TurnActivity?) -> (String, detail: String?) {
    switch activity {
    case .thinking: ("thinking", nil)
    case .writing: ("writing", nil)
    case .working(let use): ("working", ActivityText.line(use).shortened(to: maxLineCharacters))
    case .waitingForApproval: ("waiting_for_approval", nil)
    case .reconnecting(let reason): ("reconnecting", reason.shortened(to: maxLineCharacters))
    case .stopping: ("stopping", nil)
    // The engine is done; the rest of the answer is on its way to the client.
    case nil: ("finishing", nil)
    }
  }

  /// A program that has sent requests.
  static func client(_ client: RequestLog.Client) -> JSONValue {
    [
      "name": .string(client.name), "last_seen": .int(client.lastSeen), "requests": .int(client.requests),
      "session_source": .text(client.sessionSource), "continued": .bool(client.wasFound),
    ]
  }
}
