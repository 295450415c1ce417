// Gathers an answer that is sent whole. Each event is handled as it comes in, so no task waits for the turn.

/// Gathers the events of one turn. The turn's stream holds it until the turn ends.
@LoopActor
final class AnswerGatherer: TurnReader {
  private let answer: Answer
  private let whole: any WholeAnswerRenderer
  private let writer: ResponseWriter
  /// Who has joined, with the fields that are theirs alone.
  private var joined: [(writer: ResponseWriter, fields: ResponseFields)] = []
  /// Called once, when the turn has ended; nil from then on.
  private var onEnd: (@LoopActor (AnswerGatherer) -> Void)?
  private var state = AnswerState()

  /// `onEnd` is called when the turn has ended, and has to call `end`, which sends the answer.
  init(_ answer: Answer, to reader: AnswerReader, onEnd: @escaping @LoopActor (AnswerGatherer) -> Void) {
    self.answer = answer
    whole = reader.dialect.wholeRenderer(answer.identity, stops: answer.stops)
    writer = reader.writer
    self.onEnd = onEnd
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage? { state.usage }
  /// Whether the engine's thread has all of the answer.
  var isWhole: Bool { state.isWhole }
  /// The calls that the answer has ended with.
  var openCalls: OpenCalls? { state.openCalls }
  var ending: AnswerEnding { state.ending }
  /// The answer as it ends; nil for a dialect that keeps none.
  func kept(_ state: ResponseState) -> RenderedResponse? { (whole as? any KeptAnswerRenderer)?.kept(state) }
  /// What the client sees of the answer.
  var seen: [Conversation.Item] { whole.items }

  /// Begins to gather. From then on the turn's events drive it, until the turn ends.
  func start() {
    answer.turn.events.reader = self
    for event in answer.turn.events.gathered() { apply(event) }
  }

  /// Sends the answer, or a failure, to all that read it. Returns what was sent.
  func end(_ failure: APIError?) -> Response {
    let response =
      if let failure {
        answer.response(failure)
      } else {
        Response.json(
          whole.body(state.ending, usage: usage, session: answer.session?.name), fields: answer.fields)
      }
    writer.send(response)
    for reader in joined {
      var own = response
      own.fields.append(reader.fields)
      reader.writer.send(own)
    }
    joined = []
    return response
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    apply(.text(EscapedText(raw: String(decoding: text)), channel))
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    apply(event)
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { for event in rest { apply(event) } }

  /// Never called, because this reader takes every event.
  func fellBehind() {}

  private func apply(_ event: TurnEvent) {
    state.gather(event, into: whole)
    if state.hasText { answer.sawText() }
    if state.wantsEnd { answer.turn.interrupt() }
    guard state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    onEnd(self)
  }
}

extension AnswerGatherer: AnswerTeller {
  /// A turn that is told to end because its answer is complete will not fail for that.
  var isJoinable: Bool { !answer.turn.isInterrupted || state.wantsEnd }

  var isStream: Bool { false }

  func join(_ reader: AnswerReader, _ fields: ResponseFields) { joined.append((reader.writer, fields)) }

  func leave(_ writer: ResponseWriter) { joined.removeAll { $0.writer === writer } }
}
