// What is known of an answer besides its words while its events come in. Pure: facts in, actions out.

/// Whether an answer goes on, and how it ended.
struct AnswerState: Sendable {
  private enum Stage: Sendable {
    case open
    /// It is complete before its turn: what follows does not belong to it.
    case complete
    /// A part of it was sent that the engine has taken back, and nothing can follow but a failure.
    case void
  }

  private var stage = Stage.open
  /// Whether any answer text has come.
  private(set) var hasText = false
  /// How it ended, nil while it goes on.
  private(set) var end: End?

  /// What ends an answer.
  enum End: Sendable {
    /// The end of its turn.
    case turn(TurnOutcome)
    /// Calls of the client's functions. The turn waits for what they return.
    case toolCalls(OpenCalls)
  }

  var hasEnded: Bool { end != nil }

  /// Whether the turn should be interrupted: nothing that comes can be shown any more.
  var wantsEnd: Bool { stage != .open }

  private var outcome: TurnOutcome? { if case .turn(let outcome) = end { outcome } else { nil } }
  /// The calls that it has ended with.
  var openCalls: OpenCalls? { if case .toolCalls(let open) = end { open } else { nil } }

  var ending: AnswerEnding {
    if openCalls != nil { return .toolCalls }
    return stage != .complete && outcome?.isCutByLength == true ? .lengthLimit : .complete
  }

  /// Nil if nobody knows it yet.
  var usage: TokenUsage? { openCalls.map(\.usage) ?? outcome?.usage ?? TokenUsage() }

  /// The failure to tell the client, nil for a proper end.
  var failure: EngineError? {
    if case .void = stage { return .turnFailed(.interruptedStream) }
    return outcome?.failure(wasCutOnPurpose: stage == .complete)
  }

  // MARK: Streaming

  /// Has a piece of text written, still escaped, where it lies.
  mutating func stream(
    _ text: Span<UInt8>, _ channel: TextChannel, _ renderer: any AnswerRenderer, _ buffer: inout ByteBuffer
  ) {
    if channel == .answer { hasText = true }
    if stage == .open, !renderer.append(text, channel, to: &buffer) { stage = .complete }
  }

  /// Has an event written.
  mutating func stream(_ event: TurnEvent, _ renderer: any AnswerRenderer, _ buffer: inout ByteBuffer) {
    if let (text, channel) = event.text { return stream(text.raw.utf8.span, channel, renderer, &buffer) }
    defer { note(event) }
    // What has gone out cannot be taken back, and the engine is about to say it again.
    if case .answerRetracted = event, stage == .open { stage = .void }
    if stage == .open, !hasEnded, !event.isEnd, !renderer.append(event, to: &buffer) { stage = .complete }
  }

  // MARK: Gathering

  /// Has an event put into an answer that is sent as a whole.
  mutating func gather(_ event: TurnEvent, _ whole: any WholeAnswerRenderer) {
    defer { note(event) }
    guard stage == .open, !hasEnded, !event.isEnd else { return }
    let goesOn =
      if let (text, channel) = event.text { whole.take(text, channel) } else { whole.take(event) }
    if !goesOn { stage = .complete }
  }

  private mutating func note(_ event: TurnEvent) {
    switch event {
    case .answer, .answerIsCommentary: hasText = true
    case .ended(let outcome): if openCalls == nil { end = .turn(outcome) }
    case .toolCalls(let open): if stage == .open { end = end ?? .toolCalls(open) }
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

  /// The model reached its output limit: the answer is complete as far as it goes.
  var isCutByLength: Bool {
    if case .failed(.turnFailed(let failure)) = self { failure.kind == .outputLimit } else { false }
  }

  /// The failure to tell the client, nil for a proper end.
  func failure(wasCutOnPurpose: Bool) -> EngineError? {
    switch self {
    case .completed: nil
    case .interrupted: wasCutOnPurpose ? nil : .turnFailed(.interrupted)
    case .failed(let error): wasCutOnPurpose || isCutByLength ? nil : error
    }
  }
}
