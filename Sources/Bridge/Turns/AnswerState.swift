// What is known of an answer while its events come in. Pure: the same events give the same text.

/// The answer of a streaming request: events go out as they come.
struct StreamedAnswer: Sendable {
  private var filter: StopFilter
  private var isVoid = false
  /// Whether any answer text has come.
  private(set) var hasText = false
  /// How the turn ended, nil while it runs.
  private(set) var outcome: TurnOutcome?

  init(stops: [String]) { filter = StopFilter(stops) }

  var hasEnded: Bool { outcome != nil }

  /// Whether the turn should be interrupted: nothing that comes can be shown any more.
  var wantsEnd: Bool { filter.hasMatched || isVoid }

  mutating func apply(_ event: TurnEvent, _ renderer: ChatChunkRenderer, _ buffer: inout ByteBuffer) {
    switch event {
    case .answer(let text): apply(text.raw.utf8.span, .answer, renderer, &buffer)
    case .aside(let text), .reconnecting(let text): apply(text.raw.utf8.span, .aside, renderer, &buffer)
    case .commentary(let text): apply(text.raw.utf8.span, .commentary, renderer, &buffer)
    // It has gone out as reasoning, which many clients hide; what they show as the answer must not be empty.
    case .answerIsCommentary(let text): apply(text.raw.utf8.span, .answer, renderer, &buffer)
    case .began, .checkpoint: break
    // What has gone out cannot be taken back, and the engine is about to say it again.
    case .answerRetracted: if !filter.hasMatched { isVoid = true }
    case .ended(let outcome): self.outcome = outcome
    }
  }

  /// The same for a piece of text, still escaped, where it lies.
  mutating func apply(
    _ text: Span<UInt8>, _ channel: TextChannel, _ renderer: ChatChunkRenderer, _ buffer: inout ByteBuffer
  ) {
    switch channel {
    case .answer:
      hasText = true
      if isVoid { return }
      guard filter.isActive else { return renderer.append(content: text, to: &buffer) }
      let safe = filter.feed(EscapedText(raw: String(decoding: text)))
      renderer.append(content: safe.raw.utf8.span, to: &buffer)
    case .aside, .commentary:
      if !wantsEnd { renderer.append(reasoning: text, to: &buffer) }
    }
  }

  /// Text that was held back because it might have become a stop sequence.
  mutating func appendRest(_ renderer: ChatChunkRenderer, _ buffer: inout ByteBuffer) {
    renderer.append(content: filter.finish().raw.utf8.span, to: &buffer)
  }

  var finishReason: FinishReason { !filter.hasMatched && outcome?.isCutByLength == true ? .length : .stop }
  var usage: TokenUsage { outcome?.usage ?? TokenUsage() }

  var failure: EngineError? {
    if isVoid, !filter.hasMatched { return .turnFailed(.interruptedStream) }
    return outcome?.failure(wasCutOnPurpose: filter.hasMatched)
  }
}

/// The answer of a request without streaming: what the engine takes back is taken back.
struct GatheredAnswer: Sendable {
  private var stops: StopMatcher
  private var text: [UInt8] = []
  /// Bytes of `text` that a retry of the engine will not repeat.
  private var finalBytes = 0
  private var isStopped = false
  /// What came beside the answer, in its order; `isCommentary` is what may yet become the answer.
  private var beside: [(text: String, isCommentary: Bool)] = []
  private(set) var outcome: TurnOutcome?

  init(stops: [String]) { self.stops = StopMatcher(stops) }

  /// The answer so far, cut before a stop sequence.
  var content: String { String(decoding: text, as: UTF8.self) }
  /// What came beside the answer.
  var reasoning: String { beside.map(\.text).joined() }
  /// Whether any answer text has come.
  var hasText: Bool { !text.isEmpty }
  /// Whether the turn should be interrupted: a stop sequence was found.
  var wantsEnd: Bool { isStopped }

  mutating func apply(_ event: TurnEvent) {
    switch event {
    case .answer(let piece): if !isStopped { add(piece.text) }
    case .aside(let piece), .reconnecting(let piece): addBeside(piece.text, isCommentary: false)
    case .commentary(let piece): addBeside(piece.text, isCommentary: true)
    case .answerIsCommentary(let piece):
      beside.removeAll(where: \.isCommentary)
      // It may have begun with the blank line that set it off from what is gone.
      if let first = beside.first { beside[0].text = String(first.text.drop(while: \.isNewline)) }
      add(piece.text)
    case .began: break
    case .checkpoint: finalBytes = text.count
    case .answerRetracted: if !isStopped { retract() }
    case .ended(let outcome): self.outcome = outcome
    }
  }

  private mutating func addBeside(_ piece: String, isCommentary: Bool) {
    guard !isStopped else { return }
    let last = beside.count - 1
    // In place: the text of a copy would have to be copied with it.
    if last >= 0, beside[last].isCommentary == isCommentary {
      beside[last].text += piece
    } else {
      beside.append((piece, isCommentary))
    }
  }

  private mutating func add(_ piece: String) {
    guard !stops.isEmpty else { return text += Array(piece.utf8) }
    for byte in piece.utf8 {
      text.append(byte)
      guard let length = stops.take(byte) else { continue }
      isStopped = true
      text.removeLast(length)
      return
    }
  }

  private mutating func retract() {
    text.removeSubrange(min(finalBytes, text.count)...)
    // A stop sequence may have begun in what stays.
    stops.reset()
    for byte in text.suffix(max(0, stops.longest - 1)) { _ = stops.take(byte) }
  }

  var finishReason: FinishReason { !isStopped && outcome?.isCutByLength == true ? .length : .stop }
  var usage: TokenUsage { outcome?.usage ?? TokenUsage() }
  var failure: EngineError? { outcome?.failure(wasCutOnPurpose: isStopped) }
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
