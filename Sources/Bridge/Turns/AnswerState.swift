// The state of an answer while the events of its turn come in. Pure: facts in, actions out.

/// Whether an answer goes on, and how its turn has ended.
struct AnswerState: Sendable {
  /// `indirect`, so that the cases of an answer under way are told apart at a glance for each token.
  private enum Stage: Sendable {
    case open
    /// The answer is complete although its turn goes on. Later text of the turn does not belong to it.
    case complete
    /// Text of the answer was sent that the engine has taken back. Only a failure can follow.
    case void
    /// The answer has ended with calls of the client's functions. The turn waits for what they return.
    indirect case waiting(OpenCalls)
    /// The turn has ended, and with it an answer that was at an earlier stage.
    indirect case over(TurnOutcome, after: Stage)
  }

  private var stage = Stage.open
  /// Whether any text of the answer has come.
  private(set) var hasText = false

  var hasEnded: Bool {
    switch stage {
    case .open, .complete, .void: false
    case .waiting, .over: true
    }
  }

  /// Whether the turn has to be interrupted, because none of its further events can be sent.
  var wantsEnd: Bool {
    switch stage {
    case .open: false
    case .complete, .void, .waiting, .over: isComplete || isVoid
    }
  }

  private var isOpen: Bool { if case .open = stage { true } else { false } }
  private var isComplete: Bool { if case .complete = stageOfText { true } else { false } }
  private var isVoid: Bool { if case .void = stageOfText { true } else { false } }
  private var stageOfText: Stage { if case .over(_, after: let earlier) = stage { earlier } else { stage } }

  private var outcome: TurnOutcome? { if case .over(let outcome, _) = stage { outcome } else { nil } }
  /// The calls that it has ended with.
  var openCalls: OpenCalls? { if case .waiting(let open) = stage { open } else { nil } }

  /// Whether the engine's thread has all of the answer.
  var isWhole: Bool {
    if openCalls != nil { return true }
    return if case .completed = outcome { true } else { false }
  }

  var ending: AnswerEnding {
    if openCalls != nil { return .toolCalls }
    return !isComplete && outcome?.isCutByLength == true ? .lengthLimit : .complete
  }

  /// Nil if nobody knows it yet.
  var usage: TokenUsage? { openCalls.map(\.usage) ?? outcome?.usage ?? TokenUsage() }

  /// The failure that the client gets; nil if the answer has ended well.
  var failure: EngineError? {
    isVoid ? .turnFailed(.interruptedStream) : outcome?.failure(wasCutOnPurpose: isComplete)
  }

  // MARK: Streaming

  /// Has the renderer write a piece of text, which is still escaped as in JSON and is not copied.
  mutating func stream(
    _ text: Span<UInt8>, _ channel: TextChannel, _ renderer: any AnswerRenderer, _ buffer: inout ByteBuffer
  ) {
    if channel == .answer { hasText = true }
    if isOpen, !renderer.append(text, channel, to: &buffer) { stage = .complete }
  }

  /// Has the renderer write an event.
  mutating func stream(_ event: TurnEvent, _ renderer: any AnswerRenderer, _ buffer: inout ByteBuffer) {
    if let (text, channel) = event.text { return stream(text.raw.utf8.span, channel, renderer, &buffer) }
    defer { record(event) }
    // Text that was sent cannot be taken back, and the engine is about to repeat it.
    if case .answerRetracted = event, isOpen { stage = .void }
    if isOpen, !event.isEnd, !renderer.append(event, to: &buffer) { stage = .complete }
  }

  // MARK: Gathering

  /// Has an event added to an answer that is sent whole.
  mutating func gather(_ event: TurnEvent, into whole: any WholeAnswerRenderer) {
    defer { record(event) }
    guard isOpen, !event.isEnd else { return }
    let goesOn =
      if let (text, channel) = event.text { whole.take(text, channel) } else { whole.take(event) }
    if !goesOn { stage = .complete }
  }

  private mutating func record(_ event: TurnEvent) {
    switch event {
    case .answer, .answerIsCommentary: hasText = true
    case .ended(let outcome): if !hasEnded { stage = .over(outcome, after: stage) }
    case .toolCalls(let open): if isOpen { stage = .waiting(open) }
    default: break
    }
  }
}

extension TurnEvent {
  fileprivate var isEnd: Bool { if case .ended = self { true } else { false } }
}

extension TurnOutcome {
  var usage: TokenUsage {
    switch self {
    case .completed(let usage), .interrupted(let usage): usage
    case .failed: TokenUsage()
    }
  }

  /// Whether the turn ended because the answer has reached the largest length that the model may write.
  var isCutByLength: Bool {
    if case .failed(.turnFailed(let failure)) = self { failure.kind == .outputLimit } else { false }
  }

  /// The failure that the client gets; nil if the answer has ended well. `wasCutOnPurpose` if the bridge has interrupted
  /// the turn because its answer was complete.
  func failure(wasCutOnPurpose: Bool) -> EngineError? {
    switch self {
    case .completed: nil
    case .interrupted: wasCutOnPurpose ? nil : .turnFailed(.interrupted)
    case .failed(let error): wasCutOnPurpose || isCutByLength ? nil : error
    }
  }
}
