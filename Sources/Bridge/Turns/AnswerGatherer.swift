// Gathers an answer that is sent whole. Each event is handled as it comes in, so no task waits for the turn.

/// Gathers the events of one turn. The turn's stream holds it until the turn ends.
@LoopActor
final class AnswerGatherer: TurnReader {
  private let turn: Turn
  private let whole: any WholeAnswerRenderer
  private let onText: @LoopActor () -> Void
  /// Called once, when the turn has ended; nil from then on.
  private var onEnd: (@LoopActor (AnswerGatherer) -> Void)?
  private var state = AnswerState()

  /// `onText` is called for each event once there is text of the answer. `onEnd` is called when the turn has ended.
  init(
    of turn: Turn, renderer: any WholeAnswerRenderer, onText: @escaping @LoopActor () -> Void,
    onEnd: @escaping @LoopActor (AnswerGatherer) -> Void
  ) {
    self.turn = turn
    whole = renderer
    self.onText = onText
    self.onEnd = onEnd
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage? { state.usage }
  /// The calls that the answer has ended with.
  var openCalls: OpenCalls? { state.openCalls }
  /// What the client sees of the answer.
  var seen: [Conversation.Item] { whole.items }

  /// The object that is sent for an answer that has not failed. `session` is the client's id of the conversation.
  func object(session: String?) -> JSONValue { whole.object(state.ending, usage: usage, session: session) }

  /// Begins to gather. From then on the turn's events drive it, until the turn ends.
  func start() {
    turn.events.reader = self
    for event in turn.events.gathered() { apply(event) }
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
    if state.hasText { onText() }
    if state.wantsEnd { turn.interrupt() }
    guard state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    onEnd(self)
  }
}
